// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
package import Telemetry

extension SignalStore {
    /// Log records for which all of a query holds, in its order, at most so many.
    ///
    /// - Throws: `Failure` where the disk cannot be read; `Pattern.PatternError`; `CancellationError` once `isCancelled`.
    package func logs(
        _ query: LogQuery, limit: Int, isCancelled: () -> Bool = { false }
    ) throws -> [StoredLog] {
        var found: [(time: UInt64, log: StoredLog)] = []
        func isBefore(_ left: (time: UInt64, log: StoredLog), _ right: (time: UInt64, log: StoredLog)) -> Bool {
            query.isNewestFirst ? left.time > right.time : left.time < right.time
        }
        try scan(query, isCancelled) { next in
            guard found.count >= limit, let last = found.last else { return true }
            // Whether what comes next may stand before what was found.
            return query.isNewestFirst
                ? next.upperBound >= Int64(last.time / 1_000_000) : next.lowerBound <= Int64(last.time / 1_000_000)
        } _: { batch, rows in
            let chosen = query.isNewestFirst ? rows.suffix(limit) : rows.prefix(limit)
            found += chosen.map { (batch.time(of: $0), batch.stored($0)) }
            found.sort(by: isBefore)
            if found.count > limit { found.removeLast(found.count - limit) }
        }
        return found.map(\.log)
    }

    /// Calls `body` with each record that matches, in no order.
    ///
    /// - Throws: As ``logs(_:limit:isCancelled:)``; what `body` throws.
    package func eachLog(
        _ query: LogQuery, isCancelled: () -> Bool = { false }, _ body: (LogBatch, Int) throws -> Void
    ) throws {
        try scan(query, isCancelled) { _ in
            true
        } _: { batch, rows in
            for row in rows { try body(batch, row) }
        }
    }

    /// Calls `body` with the matching rows of each block, from the latest or the earliest on, while `isNeeded` says of the times
    /// of the next one, in milliseconds, that it is.
    private func scan(
        _ query: LogQuery, _ isCancelled: () -> Bool, _ isNeeded: (ClosedRange<Int64>) -> Bool,
        _ body: (LogBatch, [Int]) throws -> Void
    ) throws {
        let test = try LogTest(query)
        let (blocks, parts) = state.withLock { state in
            ((state.logs.frozen ?? []) + state.logs.head.blocks, state.logs.parts)
        }
        var places: [(times: ClosedRange<Int64>, matches: () throws -> (LogBatch, [Int])?)] = []
        let trace = query.trace.map { KeyHash.ofTrace($0.high, $0.low) }
        for block in blocks where block.times.overlaps(test.times) {
            if let trace, !block.hasTrace(trace) { continue }
            places.append((block.times, { try test.matches(block.block) }))
        }
        for part in parts where part.part.footer.times.overlaps(test.times) {
            let services = try part.facets.map { try $0 == RecordPart.anyFacet || test.mayAccept(service: $0) }
            let traced = try trace.map { trace in try reading(part.part) { Set(try part.groups(withTrace: trace)) } }
            for (number, group) in part.groups.enumerated() where group.times.overlaps(test.times) {
                if let traced, !traced.contains(number) { continue }
                if !group.facets.contains(where: { services[$0] }) { continue }
                // Of records of level error and above it is known how many there are.
                if query.severityMin >= 17, group.errors == 0 { continue }
                places.append((group.times, { try self.matches(test, number, of: part) }))
            }
        }
        places.sort {
            query.isNewestFirst ? $0.times.upperBound > $1.times.upperBound : $0.times.lowerBound < $1.times.lowerBound
        }
        for place in places {
            if isCancelled() { throw CancellationError() }
            guard isNeeded(place.times) else { return }
            if let (batch, rows) = try place.matches() { try body(batch, rows) }
        }
    }

    private func matches(_ test: LogTest, _ group: Int, of part: RecordPart) throws -> (LogBatch, [Int])? {
        try reading(part.part) {
            let fragments = part.hasFragments ? test.fragments : []
            if !test.terms.isEmpty || !fragments.isEmpty {
                let filter = try part.filter(of: group)
                guard test.terms.allSatisfy(filter.mayHave), fragments.allSatisfy(filter.mayHave) else { return nil }
            }
            return try test.matches(part.sections(of: group))
        }
    }

    /// Names of services of which log records have come, in order.
    package func logServices() throws -> [String] {
        let (blocks, parts) = state.withLock { state in
            ((state.logs.frozen ?? []) + state.logs.head.blocks, state.logs.parts)
        }
        var services = Set(parts.flatMap(\.facets)).subtracting([RecordPart.anyFacet])
        for block in blocks {
            let outline = try LogOutline(block.block)
            services.formUnion(try BlockAttributes(block.block, shapes: outline.shapes).origins.map(\.service))
        }
        return services.map { String(decoding: $0, as: UTF8.self) }.sorted()
    }
}
