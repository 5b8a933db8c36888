// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization

/// What has been acknowledged and stands in no part yet: records in numbered segments, synced in groups.
///
/// A thread of its own writes what waits and syncs once for all of it. A segment is complete in itself, so that it can go once
/// a part covers it.
final class RecordLog: Sendable {
    private struct Waiting {
        let ticket: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        /// Where new records go.
        var segment: UInt64
        var pending: [(segment: UInt64, bytes: [UInt8])] = []
        var lastTicket: UInt64 = 0
        var syncedTicket: UInt64 = 0
        /// Tickets that nobody has asked about so far, and those of them that were lost, with why.
        var unclaimed: Set<UInt64> = []
        var lost: [UInt64: any Error] = [:]
        var waiting: [Waiting] = []
        var isClosed = false
    }

    private let disk: any Disk
    private let state: Mutex<State>
    private let wake = NSCondition()

    /// `segment` is the first one to be written, above all that are there.
    init(_ disk: any Disk, segment: UInt64) {
        self.disk = disk
        state = Mutex(State(segment: segment))
    }

    /// The thread's work; returns once the log is closed and all is written.
    func run() {
        var file: (segment: UInt64, file: any DiskFile)?
        while let batch = next() {
            do {
                for (segment, bytes) in batch.groups {
                    if file?.segment != segment {
                        file = (segment, try disk.create(Self.name(segment)))
                        try disk.syncNames()
                    }
                    try file?.file.append(bytes)
                    try file?.file.sync()
                }
                finish(through: batch.ticket, nil)
            } catch {
                // What the file holds now is unknown; nothing more goes into it.
                file = nil
                finish(through: batch.ticket, error)
            }
        }
    }

    private func next() -> (groups: [(segment: UInt64, bytes: [UInt8])], ticket: UInt64)? {
        wake.lock()
        defer { wake.unlock() }
        while true {
            let (batch, isClosed) = state.withLock { state in
                defer { state.pending = [] }
                return (state.pending.isEmpty ? nil : (state.pending, state.lastTicket), state.isClosed)
            }
            if let batch { return batch }
            if isClosed { return nil }
            wake.wait()
        }
    }

    private func finish(through ticket: UInt64, _ error: (any Error)?) {
        let done = state.withLock { state in
            var last = ticket
            if let error {
                // Later records may name series that only the lost ones describe: they are lost with them.
                last = state.lastTicket
                for ticket in state.unclaimed where ticket > state.syncedTicket { state.lost[ticket] = error }
                state.pending = []
                state.segment += 1
            }
            state.syncedTicket = last
            let done = state.waiting.filter { $0.ticket <= last }
            state.waiting.removeAll { $0.ticket <= last }
            return done
        }
        for waiting in done {
            if let error { waiting.continuation.resume(throwing: error) } else { waiting.continuation.resume() }
        }
    }

    // MARK: Writing

    /// The segment that the next record goes to. It changes by ``rotate()`` and after a write that failed.
    var segment: UInt64 { state.withLock { $0.segment } }

    /// Queues a record that was made for `segment`.
    ///
    /// - Returns: What to wait for; `nil` where the segment is another one by now.
    func append(_ record: [UInt8], for segment: UInt64) -> UInt64? {
        let frame = Self.frame(record)
        let ticket: UInt64? = state.withLock { state in
            guard state.segment == segment, !state.isClosed else { return nil }
            state.lastTicket += 1
            state.unclaimed.insert(state.lastTicket)
            if let last = state.pending.indices.last, state.pending[last].segment == segment {
                state.pending[last].bytes += frame
            } else {
                state.pending.append((segment, frame))
            }
            return state.lastTicket
        }
        if ticket != nil { signal() }
        return ticket
    }

    /// Returns when the record is on the disk.
    ///
    /// - Throws: What the disk said; the record may or may not be found again after a restart.
    func synced(_ ticket: UInt64) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let outcome: Result<Void, any Error>? = state.withLock { state in
                state.unclaimed.remove(ticket)
                if ticket > state.syncedTicket {
                    state.waiting.append(Waiting(ticket: ticket, continuation: continuation))
                    return nil
                }
                return state.lost.removeValue(forKey: ticket).map { .failure($0) } ?? .success(())
            }
            if let outcome { continuation.resume(with: outcome) }
        }
    }

    /// Ends the present segment.
    ///
    /// - Returns: Its number; all records so far are in it or before it.
    func rotate() -> UInt64 {
        state.withLock { state in
            defer { state.segment += 1 }
            return state.segment
        }
    }

    /// Takes no more. The thread ends once all is written.
    func close() {
        state.withLock { $0.isClosed = true }
        signal()
    }

    private func signal() {
        wake.lock()
        wake.signal()
        wake.unlock()
    }

    // MARK: Segments

    static func name(_ segment: UInt64) -> String {
        let digits = String(segment)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".log"
    }

    static func segment(of name: String) -> UInt64? { name.hasSuffix(".log") ? UInt64(name.dropLast(4)) : nil }

    private static func frame(_ record: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.fixed(UInt32(record.count))
        writer.fixed(Checksum.crc32(record))
        writer.raw(record)
        return writer.bytes
    }

    /// The records of a segment up to its end, or to where it was torn off.
    ///
    /// - Returns: Bytes that are no whole record; what was being written when the machine stopped.
    static func replay(_ segment: UInt64, of disk: any Disk, _ body: ([UInt8]) throws -> Void) throws -> Int {
        let file = try disk.open(name(segment))
        let bytes = try file.read(at: 0, count: file.size)
        var place = 0
        while place + 8 <= bytes.count {
            let (count, checksum) = bytes.withUnsafeBufferPointer { buffer in
                var reader = ByteReader(buffer, at: place)
                return (Int(reader.fixed32()), reader.fixed32())
            }
            guard count > 0, place + 8 + count <= bytes.count else { break }
            let record = Array(bytes[place + 8..<place + 8 + count])
            guard Checksum.crc32(record) == checksum else { break }
            try body(record)
            place += 8 + count
        }
        return bytes.count - place
    }
}
