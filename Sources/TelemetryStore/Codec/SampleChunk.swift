// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Samples of one series, packed; `DiskFormat.md` describes the bytes.
///
/// Metrics are mostly decimal numbers that change little: as whole numbers with a common power of ten, their differences take
/// a byte or none (A. Afroozeh et al., "ALP: Adaptive Lossless floating-Point Compression", SIGMOD 2024, has the first half
/// of the idea). What is no such number is kept bit by bit.
struct SampleChunk: Sendable {
    /// Milliseconds since 1970, both included.
    let times: ClosedRange<Int64>
    let count: Int
    let bytes: [UInt8]

    enum ValueMode: UInt8 {
        case constant, decimal, bits
    }

    /// `nil` for no samples. Times ascend.
    init?(_ samples: SampleColumns) {
        guard let first = samples.times.first, let last = samples.times.last else { return nil }
        times = first...last
        count = samples.count
        var writer = ByteWriter()
        writer.count(samples.count)
        Self.write(times: samples.times, to: &writer)
        Self.write(values: samples.values, to: &writer)
        bytes = writer.bytes
    }

    init(times: ClosedRange<Int64>, count: Int, bytes: [UInt8]) {
        self.times = times
        self.count = count
        self.bytes = bytes
    }

    // MARK: Packing

    private static func write(times: [Int64], to writer: inout ByteWriter) {
        let step = times.count > 1 ? times[1] &- times[0] : 0
        var isRegular = true
        for place in 1..<max(1, times.count) where times[place] &- times[place - 1] != step { isRegular = false }
        writer.byte(isRegular ? 0 : 1)
        writer.signed(times[0])
        writer.signed(step)
        guard !isRegular else { return }
        var before = step
        for place in 2..<times.count {
            let difference = times[place] &- times[place - 1]
            writer.signed(difference &- before)
            before = difference
        }
    }

    private static func write(values: [Double], to writer: inout ByteWriter) {
        let first = values[0].bitPattern
        if values.allSatisfy({ $0.bitPattern == first }) {
            writer.byte(ValueMode.constant.rawValue)
            writer.fixed(first)
        } else if let decimals = Decimals(values) {
            writer.byte(ValueMode.decimal.rawValue)
            decimals.write(to: &writer)
        } else {
            writer.byte(ValueMode.bits.rawValue)
            write(bits: values, to: &writer)
        }
    }

    /// All lowest bytes, then all next ones: the high ones are alike, which a compressor sees only where they lie together.
    private static func write(bits values: [Double], to writer: inout ByteWriter) {
        var before: UInt64 = 0
        let differences = values.map { value in
            defer { before = value.bitPattern }
            return Zigzag.folded(Int64(bitPattern: value.bitPattern &- before))
        }
        for plane in 0..<8 as Range<UInt64> {
            for difference in differences { writer.byte(UInt8(truncatingIfNeeded: difference >> (8 * plane))) }
        }
    }

    // MARK: Unpacking

    /// Appends the samples to `samples`.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func read(into samples: inout SampleColumns) throws {
        try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            try Self.read(&reader, into: &samples)
        }
    }

    /// Reads the chunk at the reader's place.
    static func read(_ reader: inout ByteReader, into samples: inout SampleColumns) throws {
        let count = reader.count(max: 1 << 20)
        guard count > 0 else { throw Failure(.corrupt, "a chunk of samples has none") }
        read(times: count, &reader, &samples.times)
        switch ValueMode(rawValue: reader.byte()) {
        case .constant: samples.values += repeatElement(Double(bitPattern: reader.fixed64()), count: count)
        case .decimal: Decimals.read(count, &reader, &samples.values)
        case .bits: read(bits: count, &reader, &samples.values)
        case nil: throw Failure(.corrupt, "a chunk of samples is of no known kind")
        }
        guard !reader.isDamaged else { throw Failure(.corrupt, "a chunk of samples ends too early") }
    }

    private static func read(times count: Int, _ reader: inout ByteReader, _ times: inout [Int64]) {
        let isRegular = reader.byte() == 0
        var time = reader.signed()
        var step = reader.signed()
        times.reserveCapacity(times.count + count)
        for place in 0..<count {
            if place > 0 {
                if !isRegular, place > 1 { step &+= reader.signed() }
                time &+= step
            }
            times.append(time)
        }
    }

    private static func read(bits count: Int, _ reader: inout ByteReader, _ values: inout [Double]) {
        let planes = reader.slice(8 * count)
        guard planes.count == 8 * count else { return }
        var bits: UInt64 = 0
        for place in 0..<count {
            var difference: UInt64 = 0
            for plane in 0..<8 { difference |= UInt64(planes[plane * count + place]) << UInt64(8 * plane) }
            bits &+= UInt64(bitPattern: Zigzag.unfolded(difference))
            values.append(Double(bitPattern: bits))
        }
    }
}
