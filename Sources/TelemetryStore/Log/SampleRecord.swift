// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Samples as a record of the log.
///
/// A row names its series by a number, and the first time in a segment by its key, too.
struct SampleRecord {
    static let kind: UInt8 = 1

    private var writer = ByteWriter()
    private var before: Int64 = 0

    init() { writer.byte(Self.kind) }

    var isEmpty: Bool { writer.count == 1 }

    var bytes: [UInt8] { writer.bytes }

    mutating func begin(series: UInt32, key: UnsafeBufferPointer<UInt8>?, count: Int) {
        writer.varint(UInt64(series) << 1 | (key == nil ? 0 : 1))
        if let key { writer.text(key) }
        writer.count(count)
    }

    mutating func add(_ time: Int64, _ value: Double) {
        writer.signed(time &- before)
        before = time
        writer.fixed(value.bitPattern)
    }

    /// Reads a record of a segment into the head. `numbers` has those that its series have in the head, by those that they have
    /// in the segment, and grows by what the record describes.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func read(_ record: [UInt8], _ numbers: inout [UInt32], into head: inout Head) throws {
        try record.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            guard reader.byte() == kind else { throw Failure(.corrupt, "a record of the log is of no known kind") }
            var time: Int64 = 0
            while !reader.isAtEnd {
                let row = reader.varint()
                let place = Int(truncatingIfNeeded: row >> 1 & 0xFFFF_FFFF)
                if row & 1 == 1 {
                    let key = reader.text()
                    guard !reader.isDamaged, place < 1 << 28 else { break }
                    if place >= numbers.count { numbers += repeatElement(.max, count: place + 1 - numbers.count) }
                    numbers[place] = head.number(of: key)
                }
                guard place < numbers.count, numbers[place] != .max else {
                    throw Failure(.corrupt, "a record of the log names a series that nothing describes")
                }
                for _ in 0..<reader.count() {
                    time &+= reader.signed()
                    let value = Double(bitPattern: reader.fixed64())
                    if !reader.isDamaged { head.add(time, value, to: numbers[place]) }
                }
            }
            guard !reader.isDamaged else { throw Failure(.corrupt, "a record of the log ends too early") }
        }
    }
}
