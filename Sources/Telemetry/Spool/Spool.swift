// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Synchronization

/// A queue of batches that wait for a collector: first in, first out, on disk where there is a folder, else in memory.
///
/// It has a budget of bytes and of age; what exceeds it goes, oldest first, and is told to the caller to count. A batch stays
/// until ``remove(_:)``, so that one whose delivery was cut short comes again. Calls take as long as the disk does.
package final class Spool: Sendable {
    package struct Batch: Sendable {
        package var payload: [UInt8]
        /// Spans, points or records.
        package var items: Int
        /// Whether the payload is gzip.
        package var isCompressed: Bool
        /// Nanoseconds since 1970.
        package var time: UInt64
        /// Its place in the order, from 0 on; given by the spool.
        package fileprivate(set) var number = 0

        package init(payload: [UInt8], items: Int, isCompressed: Bool, time: UInt64) {
            self.payload = payload
            self.items = items
            self.isCompressed = isCompressed
            self.time = time
        }
    }

    /// Why batches went undelivered.
    package enum Loss: String, Sendable, CaseIterable {
        /// Newer ones needed the room.
        case full = "spool_full"
        case expired
        /// The disk did not give back what was written.
        case damaged
        /// The disk took nothing.
        case failed = "spool_failed"
    }

    package typealias Losses = [(loss: Loss, items: Int)]

    private struct Entry {
        var number: UInt64
        var offset: Int
        var header: SpoolFile.Header
        /// All of them without a folder; else that of the newest while nothing else waits, so that a collector that keeps up
        /// costs no reading.
        var payload: [UInt8]?
        /// The disk did not take it.
        var isUnwritten = false

        var bytes: Int { SpoolFile.headerCount + header.count }
    }

    private struct State {
        var entries: [Entry] = []
        /// Entries that went from the front; they are cleared away now and then, so that removing one costs little.
        var gone = 0
        /// All that ever went from the front.
        var removed = 0
        var bytes = 0
        var items = 0
        var number: UInt64 = 1
        var offset = 0

        /// Bytes that the disk did not take.
        var unwritten = 0

        mutating func add(_ entry: Entry) {
            entries.append(entry)
            bytes += entry.bytes
            items += entry.header.items
        }

        var first: Entry? { gone < entries.count ? entries[gone] : nil }
    }

    private let files: SpoolFile?
    private let bytesMax: Int
    private let ageMax: Duration
    private let state = Mutex(State())
    /// Held, not read: closing it frees the folder for others.
    private let lock: Mutex<Int32?>
    private let adopted = Mutex<(items: Int, losses: Losses)>((0, []))
    private let left: Int
    /// Items that earlier processes left.
    package var recovered: Int { left + adopted.withLock { $0.items } }
    /// What of it had to go at once.
    package var lossesAtStart: Losses { adopted.withLock { $0.losses } }

    /// What memory may hold, as a part of the budget, where the disk takes nothing.
    package static let memoryShare = 16
    /// A file is deleted as a whole, once all in it is delivered.
    private static let fileBytesMax = 4 << 20

    /// - Parameters:
    ///   - folder: Where it lies; `nil` keeps it in memory. Where another process has it, `folder-2` and so on is taken.
    ///   - bytesMax: What may wait in all.
    ///   - ageMax: How long a batch may wait.
    /// - Throws: `Failure` with `misconfigured` where the folder cannot be used.
    package init(folder: String?, bytesMax: Int, ageMax: Duration) throws {
        self.bytesMax = bytesMax
        self.ageMax = ageMax
        var state = State()
        var place: (files: SpoolFile, lock: Int32)?
        if let folder {
            place = try Self.claim(folder)
            if let files = place?.files { try Self.recover(files, into: &state) }
        }
        files = place?.files
        lock = Mutex(place?.lock)
        left = state.items
        let found = state
        self.state.withLock { $0 = found }
        if let folder { adopt(besides: folder) }
    }

    deinit { close() }

    /// Leaves the folder to others. Nothing may be put in or taken out afterwards.
    package func close() {
        lock.withLock { lock in
            if let descriptor = lock { Foundation.close(descriptor) }
            lock = nil
        }
    }

    /// Spans, points or records that wait.
    package var items: Int { state.withLock { $0.items } }
    package var bytes: Int { state.withLock { $0.bytes } }

    /// Puts a batch at the end.
    package func append(_ batch: Batch) -> Losses {
        state.withLock { state in
            var losses: Losses = []
            let bytes = SpoolFile.headerCount + batch.payload.count
            guard bytes <= bytesMax else { return [(.full, batch.items)] }
            while state.bytes + bytes > bytesMax, let items = drop(&state) { losses.append((.full, items)) }
            var header = SpoolFile.Header(
                count: batch.payload.count, items: batch.items, isCompressed: batch.isCompressed, time: batch.time,
                checksum: 0)
            if let files {
                header.checksum = Checksum.crc32(batch.payload)
                if state.offset >= Self.fileBytesMax { (state.number, state.offset) = (state.number + 1, 0) }
                if (try? files.append(header, batch.payload, to: state.number, at: state.offset)) == nil {
                    return losses + appendToMemory(batch, header, &state)
                }
            }
            let isAtHand = files == nil || state.first == nil
            state.add(
                Entry(
                    number: state.number, offset: state.offset, header: header,
                    payload: isAtHand ? batch.payload : nil))
            state.offset += bytes
            return losses
        }
    }

    /// A disk that is full does not keep signals from a collector that is there.
    private func appendToMemory(_ batch: Batch, _ header: SpoolFile.Header, _ state: inout State) -> Losses {
        guard state.unwritten + batch.payload.count <= bytesMax / Self.memoryShare else {
            return [(.failed, batch.items)]
        }
        var entry = Entry(number: state.number, offset: state.offset, header: header, payload: batch.payload)
        entry.isUnwritten = true
        state.unwritten += batch.payload.count
        state.add(entry)
        return []
    }

    /// The oldest batch, and what had to go to get at it.
    package func first(now: UInt64) -> (batch: Batch?, losses: Losses) {
        state.withLock { state in
            var losses: Losses = []
            while let entry = state.first {
                let header = entry.header
                let isOld = now > header.time && Duration.nanoseconds(now - header.time) > ageMax
                let payload = entry.payload ?? files?.payload(of: header, in: entry.number, at: entry.offset)
                if !isOld, let payload {
                    var batch = Batch(
                        payload: payload, items: header.items, isCompressed: header.isCompressed, time: header.time)
                    batch.number = state.removed
                    return (batch, losses)
                }
                losses.append((isOld ? .expired : .damaged, header.items))
                _ = drop(&state)
            }
            return (nil, losses)
        }
    }

    /// A batch has been delivered, or need not be.
    ///
    /// - Returns: Whether it still waited; it may have had to make room meanwhile, and was counted then.
    package func remove(_ batch: Batch) -> Bool {
        state.withLock { state in
            guard batch.number == state.removed else { return false }
            return drop(&state) != nil
        }
    }

    private func drop(_ state: inout State) -> Int? {
        guard let entry = state.first else { return nil }
        state.entries[state.gone].payload = nil
        state.gone += 1
        state.removed += 1
        state.bytes -= entry.bytes
        state.items -= entry.header.items
        if entry.isUnwritten { state.unwritten -= entry.header.count }
        let next = state.first
        if let files {
            files.setHead(next?.number ?? state.number, next?.offset ?? state.offset)
            if (next?.number ?? state.number) != entry.number { files.remove(entry.number) }
            if next == nil, state.offset >= Self.fileBytesMax {
                files.remove(state.number)
                (state.number, state.offset) = (state.number + 1, 0)
            }
        }
        if state.gone >= 64, state.gone * 2 >= state.entries.count {
            state.entries.removeFirst(state.gone)
            state.gone = 0
        }
        return entry.header.items
    }

    // MARK: At the start

    private static let namesMax = 64

    private static func claim(_ folder: String) throws -> (SpoolFile, Int32) {
        for number in 1...namesMax {
            let files = SpoolFile(folder: number == 1 ? folder : "\(folder)-\(number)")
            if let lock = try files.lock() { return (files, lock) }
        }
        throw Failure(.misconfigured, "\(namesMax) processes use the spool \(folder) already. Choose another folder.")
    }

    /// Takes over what processes beside earlier ones left in folders of their own.
    private func adopt(besides folder: String) {
        for number in 1...Self.namesMax {
            let other = SpoolFile(folder: number == 1 ? folder : "\(folder)-\(number)")
            guard other.folder != files?.folder, other.exists, let lock = try? other.lock() else { continue }
            defer { Foundation.close(lock) }
            var waiting = State()
            guard (try? Self.recover(other, into: &waiting)) != nil else { continue }
            for entry in waiting.entries {
                guard let payload = other.payload(of: entry.header, in: entry.number, at: entry.offset) else {
                    continue
                }
                let batch = Batch(
                    payload: payload, items: entry.header.items, isCompressed: entry.header.isCompressed,
                    time: entry.header.time)
                let losses = append(batch)
                adopted.withLock { adopted in
                    adopted.items += batch.items
                    adopted.losses += losses
                }
            }
            other.clear()
        }
    }

    /// Takes up what an earlier process left. What comes is written to a file of its own, so that a torn end stays behind.
    private static func recover(_ files: SpoolFile, into state: inout State) throws {
        let head = files.head()
        // Beyond it, too, whose file may be gone: what is written must not come to lie before the head.
        state.number = max(state.number, (head?.number ?? 0) + 1)
        for number in try files.numbers() {
            state.number = max(state.number, number + 1)
            if let head, number < head.number {
                files.remove(number)
                continue
            }
            let found = files.headers(in: number, from: head?.number == number ? head?.offset ?? 0 : 0)
            if found.isEmpty { files.remove(number) }
            for (offset, header) in found {
                state.add(Entry(number: number, offset: offset, header: header))
            }
        }
    }
}
