// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Log records as they come, for somebody who looks on: what has come since the look before, whatever times it has.
package final class LogTail: Sendable {
    private struct State {
        var blocks: [PackedBlock] = []
        var bytes = 0
        var left = 0
    }

    private let state = Mutex(State())

    /// Of what waits to be looked at; what comes beyond it is left out, because nobody is kept from sending by a spectator.
    private static let bytesMax = 8 << 20

    fileprivate func note(_ block: PackedBlock) {
        state.withLock { state in
            guard state.bytes + block.count <= Self.bytesMax else {
                state.left += block.rows
                return
            }
            state.blocks.append(block)
            state.bytes += block.count
        }
    }

    package var isEmpty: Bool { state.withLock { $0.blocks.isEmpty && $0.left == 0 } }

    /// The records that have come and for which all of a query holds, in the order of their times, the latest `limit` of them;
    /// and how many were left out, of which nobody knows whether they match.
    ///
    /// - Throws: `Failure` with `corrupt`; `Pattern.PatternError`.
    package func take(_ query: LogQuery, limit: Int) throws -> (logs: [StoredLog], left: Int) {
        let (blocks, left) = state.withLock { state in
            defer { state = State() }
            return (state.blocks, state.left)
        }
        let test = try LogTest(query)
        var found: [(time: UInt64, log: StoredLog)] = []
        for block in blocks {
            guard let (batch, rows) = try test.matches(block) else { continue }
            found += rows.map { (batch.time(of: $0), batch.stored($0)) }
        }
        found.sort { $0.time < $1.time }
        let beyond = max(0, found.count - limit)
        return (found.dropFirst(beyond).map(\.log), left + beyond)
    }
}

/// Everybody who looks on, for as long as they are there.
final class LogTails: Sendable {
    private struct Place {
        weak var tail: LogTail?
    }

    private let places = Mutex<[Place]>([])

    var count: Int { places.withLock { $0.count { $0.tail != nil } } }

    func note(_ block: PackedBlock) {
        let tails = places.withLock { places in
            places.removeAll { $0.tail == nil }
            return places.compactMap(\.tail)
        }
        for tail in tails { tail.note(block) }
    }

    func add(_ tail: LogTail) { places.withLock { $0.append(Place(tail: tail)) } }
}

extension SignalStore {
    /// Begins to look on at log records that become durable from now on, for as long as what is returned lives.
    package func tailLogs() -> LogTail {
        let tail = LogTail()
        logTails.add(tail)
        return tail
    }
}
