// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

struct RecordTests {
    static let start = UInt64(StoreTests.start - 600_000) * 1_000_000

    static func text(_ span: SpanRecord, _ resource: Resource) -> String { "\(resource) \(span)" }

    /// What a store has of a trace, as text.
    static func found(_ store: SignalStore, _ id: TraceID) throws -> Set<String> {
        Set(try store.trace(id)?.spans.map { text($0.record, $0.resource) } ?? [])
    }

    // MARK: Blocks

    @Test(arguments: [1, 3, 40, 200])
    func `a block of spans is read as it was written`(traces: Int) throws {
        var random = RandomRecords(seed: UInt64(traces))
        let batches = (0..<3).map { _ in
            let resource = random.resource()
            var spans: [SpanRecord] = []
            for number in 0..<traces {
                let start = Self.start + UInt64(number) * 7_000_001
                spans += random.trace(start: start, spans: number % 13 + 1, isError: number % 5 == 0)
            }
            return SpanBatch(spans.shuffled(using: &random.generator), from: resource)
        }
        let order = SpanBatch.order(SpanBatch.places(batches), of: batches)
        let (block, summary) = SpanBatch.block(order, of: batches, isIndexed: true)
        let packed = try PackedBlock(block.packed(with: Zstandard.Compressor(level: 1)))
        for read in [try SpanBatch.read(block), try SpanBatch.read(packed)] {
            #expect(read.count == order.places.count && summary.rows == read.count)
            for (row, place) in order.places.enumerated() {
                let before = batches[place.batch]
                #expect(
                    Self.text(read.record(row), read.resource(of: row))
                        == Self.text(before.record(place.row), before.resource(of: place.row)))
            }
        }
    }

    @Test(arguments: [1, 50, 3_000])
    func `a block of log records is read as it was written`(count: Int) throws {
        var random = RandomRecords(seed: UInt64(count))
        let batches = (0..<2).map { _ in LogBatch(random.logs(start: Self.start, count: count), from: random.resource())
        }
        let order = LogBatch.order(LogBatch.places(batches), of: batches)
        let (block, _) = LogBatch.block(order, of: batches, isIndexed: true)
        let read = try LogBatch.read(try PackedBlock(block.packed(with: Zstandard.Compressor(level: 1))))
        for (row, place) in order.places.enumerated() {
            let before = batches[place.batch]
            #expect(
                "\(read.record(row)) \(read.resource(of: row))"
                    == "\(before.record(place.row)) \(before.resource(of: place.row))")
        }
    }

    @Test func `damaged blocks are refused and never crash`() throws {
        var random = RandomRecords(seed: 5)
        let batch = SpanBatch(
            (0..<20).flatMap { random.trace(start: Self.start + $0, spans: 4) }, from: random.resource())
        let logs = LogBatch(random.logs(start: Self.start, count: 60), from: random.resource())
        let compressor = Zstandard.Compressor(level: 1)
        let blocks = [
            SpanBatch.block(SpanBatch.order(SpanBatch.places([batch]), of: [batch]), of: [batch], isIndexed: false).0,
            LogBatch.block(LogBatch.order(LogBatch.places([logs]), of: [logs]), of: [logs], isIndexed: false).0,
        ]
        var refused = 0
        for block in blocks {
            for _ in 0..<600 {
                // Beneath the checksum and the compression, so that the readers themselves are tried.
                var sections = block.sections
                let number = Int.random(in: sections.indices, using: &random.generator)
                guard !sections[number].isEmpty else { continue }
                let place = Int.random(in: sections[number].indices, using: &random.generator)
                if Bool.random(using: &random.generator) {
                    sections[number][place] = UInt8.random(in: 0...255, using: &random.generator)
                } else {
                    sections[number].removeLast(sections[number].count - place)
                }
                let damaged = RecordBlock(rows: block.rows, sections: sections)
                do {
                    _ = try SpanBatch.read(damaged)
                    let test = SpanTest(SpanQuery())
                    let (outline, rows) = try test.rows(damaged)
                    _ = try test.matches(outline, rows, damaged)
                } catch { refused += 1 }
                do { _ = try LogBatch.read(damaged) } catch { refused += 1 }
                var packed = damaged.packed(with: compressor)
                packed[Int.random(in: packed.indices, using: &random.generator)] ^= 0x41
                _ = try? SpanBatch.read(PackedBlock(packed))
            }
        }
        #expect(refused > 600)
    }

    @Test func `more attributes than a block has columns for are kept as texts`() throws {
        let spans = (0..<50).map { number in
            SpanRecord(
                context: TraceContext(traceID: TraceID(high: 1, low: 1), spanID: UInt64(number + 1)), parentID: 0,
                hasRemoteParent: false, name: "s", kind: .server, start: Self.start, end: Self.start,
                attributes: (0..<100).map { Attribute("n\(number).\($0)", .int(Int64($0))) })
        }
        let batch = SpanBatch(spans, from: Resource([]))
        let (block, _) = SpanBatch.block(
            SpanBatch.order(SpanBatch.places([batch]), of: [batch]), of: [batch], isIndexed: true)
        #expect(block.sections.count < 2_010)
        let read = try SpanBatch.read(block)
        let attributes = (0..<read.count).flatMap { read.record($0).attributes }
        #expect(attributes.count == 5_000)
        #expect(attributes.count { $0.name == "vitrine.attributes.beyond" } == 3_000)
        #expect(attributes.contains(Attribute("vitrine.attributes.beyond", .string("n49.99=99"))))
        // And so they stay, however often they are written.
        let places = SpanBatch.order(SpanBatch.places([read]), of: [read])
        let again = try SpanBatch.read(SpanBatch.block(places, of: [read], isIndexed: true).0)
        #expect((0..<again.count).flatMap { again.record($0).attributes } == attributes)
    }

    @Test func `what log records say is never beyond the columns`() throws {
        let wide = LogRecord(
            time: Self.start, severity: .info, body: "wide", scope: "s",
            attributes: (0..<2_100).map { Attribute("n\($0)", .int(1)) })
        var batch = LogBatch([wide], from: Resource([]))
        var row = LogBatch.Row()
        (row.time, row.bodyKind, row.body) = (Self.start + 1, .int, 42)
        batch.append(row, scope: 0)
        let order = LogBatch.order(LogBatch.places([batch]), of: [batch])
        let read = try LogBatch.read(LogBatch.block(order, of: [batch], isIndexed: true).0)
        #expect((0..<2).map { read.record($0).body } == ["wide", "42"])
    }

    @Test func `traces that come late are sampled as they would have been in time`() {
        var configuration = TailSampling()
        (configuration.slowestPerRoute, configuration.firstPerRoute) = (0, 0)
        let start = UInt64(StoreTests.start) * 1_000_000
        func part(from start: UInt64, _ retention: inout TraceRetention) -> Int {
            retention.beginPart(configuration, from: Int64(start / 1_000_000), origin: start)
            return (0..<20_000).count { number in
                // Twenty a second, of which ten are wanted.
                let time = start + UInt64(number) * 50_000_000
                let id = TraceID(high: start, low: UInt64(number))
                return retention.isKept(
                    .init(traceID: id, isRoot: true, isError: false, route: "r", duration: .zero, bytes: 0), start: time
                )
            }
        }
        var retention = TraceRetention(configuration, origin: start)
        let inTime = part(from: start, &retention)
        // A backlog from hours before.
        let late = part(from: start - 20_000_000_000_000, &retention)
        for kept in [inTime, late] { #expect(kept > 9_000 && kept < 11_500, "\(kept)") }
    }

    @Test func `records of odd times and without a body are taken, found and harmless`() async throws {
        var settings = SignalStore.Settings()
        settings.hotWindow = .seconds(1)
        let store = try StoreTests.open(ForgetfulDisk(), settings)
        let now = UInt64(StoreTests.start) * 1_000_000
        var spans: [SpanRecord] = []
        for (number, times) in [(0, now), (now, 0), (now, now - 3_000_000_000), (now + 1, now + 1)].enumerated() {
            spans.append(
                SpanRecord(
                    context: TraceContext(traceID: TraceID(high: 9, low: UInt64(number + 1)), spanID: 1), parentID: 0,
                    hasRemoteParent: false, name: "odd", kind: .server, start: times.0, end: times.1))
        }
        let far = SpanRecord(
            context: TraceContext(traceID: TraceID(high: 9, low: 9), spanID: 1), parentID: 0, hasRemoteParent: false,
            name: "far", kind: .server, start: .max, end: .max)
        let admission = try await store.append(SpanBatch(spans + [far], from: Resource([])))
        #expect(admission.refusedCount == 2, "one ended in 1970, one begins too far ahead")
        var logs = LogBatch(
            [LogRecord(time: now, severity: .info, body: "", scope: "s", attributes: [Attribute("", .string("key"))])],
            from: Resource([Attribute("service.name", .string("a"))]))
        var row = LogBatch.Row()
        (row.observedTime, row.severity) = (now, 9)
        logs.append(row, scope: 0)
        _ = try await store.append(logs)
        func check() throws {
            var query = LogQuery()
            query.lines = [.init(.lacks, "x"), .init(.contains, "")]
            #expect(try store.logs(query, limit: 10).count == 2)
            query.lines = [.init(.contains, "key")]
            #expect(try store.logs(query, limit: 10).isEmpty, "an attribute without a name is not what a record says")
            #expect(try store.spans(SpanQuery(), tracesMax: 10).count == 3)
        }
        try check()
        try store.flush()
        try check()
        try store.keepUp()
    }

    // MARK: The store

    @Test func `traces are found whole: at once, after a flush, merged, after a restart and after a power cut`()
        async throws
    {
        var random = RandomRecords(seed: 11)
        let disk = ForgetfulDisk()
        var settings = SignalStore.Settings()
        settings.sampling = nil
        // So that a flush takes what it writes in several slices.
        settings.recordBytesMax = 8_000
        let store = try StoreTests.open(disk, settings)
        var wanted: [TraceID: Set<String>] = [:]
        for round in 0..<8 {
            let resource = random.resource()
            let traces = (0..<30).map {
                random.trace(start: Self.start + UInt64(round * 30 + $0) * 1_000_003, spans: $0 % 9 + 1)
            }
            for trace in traces {
                wanted[trace[0].context.traceID] = Set(trace.map { Self.text($0, resource) })
            }
            // Spans of a trace come in two batches, and some twice.
            let spans = traces.flatMap { $0 }.shuffled(using: &random.generator)
            for part in [spans[..<(spans.count / 2)], spans[(spans.count / 2 - 5)...]] {
                #expect(try await store.append(SpanBatch(Array(part), from: resource)).accepted == part.count)
                if round % 2 == 0 { try store.flush() }
            }
        }
        func check(_ store: SignalStore, _ words: String) throws {
            for (id, spans) in wanted {
                let found = try Self.found(store, id)
                try #require(
                    found == spans, "\(words): \(found.count) \(spans.count) \(found.symmetricDifference(spans).count)")
            }
            #expect(try store.trace(TraceID(high: 1, low: 1)) == nil)
        }
        try check(store, "at once")
        var generator = SeededGenerator(seed: 3)
        try check(StoreTests.open(disk.afterPowerCut(&generator), settings), "after a power cut")
        try store.keepUp()
        #expect(try disk.names().filter { $0.hasPrefix("traces") && $0.hasSuffix(".part") }.count < 4)
        try check(store, "merged")
        try store.close()
        try check(StoreTests.open(disk.afterPowerCut(&generator), settings), "after a restart")
        #expect(try !disk.names().contains { $0.hasSuffix(".log") }, "nothing in the log is needed any more")
    }

    @Test func `spans are found by what they are, wherever they stand`() async throws {
        var random = RandomRecords(seed: 12)
        let store = try StoreTests.open(ForgetfulDisk())
        var all: [(SpanRecord, Resource)] = []
        for round in 0..<6 {
            let resource = random.resource()
            var spans: [SpanRecord] = []
            for number in 0..<60 {
                let start = Self.start + UInt64(round * 60 + number) * 900_001
                spans += random.trace(start: start, spans: 5, isError: number % 7 == 0)
            }
            all += spans.map { ($0, resource) }
            _ = try await store.append(SpanBatch(spans, from: resource))
            if round == 2 || round == 4 { try store.flush() }
        }
        var found = 0
        for _ in 0..<400 {
            let (span, resource) = all[Int.random(in: all.indices, using: &random.generator)]
            var query = SpanQuery()
            if Bool.random(using: &random.generator) { query.service = resource["service.name"]?.text }
            if Bool.random(using: &random.generator) { query.name = span.name }
            if Bool.random(using: &random.generator) { query.isError = span.isError }
            if Bool.random(using: &random.generator) { query.durations = span.duration...span.duration * 3 }
            if Bool.random(using: &random.generator) { query.kind = UInt8(span.kind.rawValue) }
            if Bool.random(using: &random.generator) { query.times = span.start...span.start + 40_000_000 }
            if let attribute = span.attributes.randomElement(using: &random.generator) {
                query.attributes.append((attribute.name, attribute.value.text))
            }
            if Bool.random(using: &random.generator) {
                query.attributes.append(("service.version", resource["service.version"]?.text ?? ""))
            }
            let wanted = all.filter { Self.matches($0.0, $0.1, query) }.map(\.0.context.spanID)
            let spans = try store.spans(query, tracesMax: .max).map(\.span)
            try #require(Set(spans) == Set(wanted) && spans.count == wanted.count, "\(query)")
            found += spans.count
            try checkGroups(query, all.filter { Self.matches($0.0, $0.1, query) }, &random, store)
            let limited = try store.spans(query, tracesMax: 1)
            #expect(!limited.isEmpty)
        }
        #expect(found > 1_000)
        let operations = try store.operations()
        #expect(
            Set(operations.map { "\($0.service) \($0.name) \($0.kind)" })
                == Set(all.map { "\($0.1["service.name"]?.text ?? "") \($0.0.name) \($0.0.kind.rawValue)" }))
    }

    /// Spans by an attribute, against plain counting.
    private func checkGroups(
        _ query: SpanQuery, _ spans: [(SpanRecord, Resource)], _ random: inout RandomRecords, _ store: SignalStore
    ) throws {
        let names = [
            "http.method", "user.id", "n", "name", "kind", "status", "service.name", "service.version", "none",
        ]
        let name = names[Int.random(in: names.indices, using: &random.generator)]
        let kinds: [SpanRecord.Kind: String] = [
            .internal: "internal", .server: "server", .client: "client", .producer: "producer", .consumer: "consumer",
        ]
        let wanted = Dictionary(grouping: spans) { span, resource -> String? in
            switch name {
            case "name": span.name
            case "kind": kinds[span.kind]
            case "status": span.isError ? "error" : span.status == .unset ? "unset" : "ok"
            default: span.attributes.first { $0.name == name }?.value.text ?? resource[name]?.text
            }
        }
        let measured = ["n", "http.method", "user.id", "none"][Int.random(in: 0..<4, using: &random.generator)]
        let found = try store.spanGroups(query, by: name, of: measured)
        #expect(found.isComplete && found.spans == spans.count)
        try #require(Set(found.groups.map(\.value)) == Set(wanted.keys), "\(name)")
        for group in found.groups {
            let same = wanted[group.value] ?? []
            let durations = same.map(\.0.duration).sorted()
            #expect(group.count == same.count && group.errors == same.count { $0.0.isError })
            #expect(group.durations.longest == durations.last)
            let numbers = same.compactMap { span, _ in
                span.attributes.first { $0.name == measured }.flatMap { Double($0.value.text) }
            }.filter(\.isFinite).sorted()
            #expect(group.numbers.count == numbers.count)
            if let least = numbers.first, let largest = numbers.last {
                #expect(group.numbers.least == least && group.numbers.largest == largest)
            }
            for share in [0.5, 0.9, 0.99] where !numbers.isEmpty {
                let exact = numbers[max(0, Int((share * Double(numbers.count)).rounded(.up)) - 1)]
                let told = group.numbers.quantile(share)
                #expect((told - exact).magnitude <= exact.magnitude * 0.032, "\(told) for \(exact)")
            }
            for share in [0.5, 0.9, 0.99] {
                let exact = Double(durations[max(0, Int((share * Double(durations.count)).rounded(.up)) - 1)])
                let told = group.durations.quantile(share)
                #expect((told - exact).magnitude <= exact * 0.032 + 0.5, "\(told) for \(exact)")
            }
        }
    }

    @Test func `calls between services are metrics, whichever end comes first`() async throws {
        let store = try StoreTests.open(ForgetfulDisk())
        func span(
            _ id: UInt64, _ parent: UInt64, _ kind: SpanRecord.Kind, trace: UInt64 = 1, isError: Bool = false,
            _ attributes: [(String, String)] = []
        ) -> SpanRecord {
            SpanRecord(
                context: TraceContext(traceID: TraceID(high: 1, low: trace), spanID: id), parentID: parent,
                hasRemoteParent: parent != 0, name: "n", kind: kind, start: Self.start, end: Self.start + 3_000_000,
                status: isError ? .error("") : .unset, attributes: attributes.map { Attribute($0.0, .string($0.1)) })
        }
        func send(_ service: String, _ spans: [SpanRecord]) async throws {
            let resource = Resource([Attribute("service.name", .string(service))])
            _ = try await store.append(SpanBatch(spans, from: resource))
        }
        // The caller comes first; the callee comes first and has failed; both at once; and within one service, which is no call.
        try await send("web", [span(1, 0, .server), span(2, 1, .client)])
        try await send(
            "shop", [span(3, 2, .server), span(12, 11, .server, trace: 2, isError: true), span(4, 3, .client)])
        try await send("web", [span(11, 0, .client, trace: 2), span(21, 0, .client, trace: 3)])
        try await send("shop", [span(5, 4, .server), span(22, 21, .server, trace: 3)])
        // A database is known at once, and one message is taken by two.
        try await send(
            "shop",
            [
                span(31, 3, .client, [("db.system.name", "postgresql"), ("server.address", "db1")]),
                span(32, 3, .producer),
            ])
        try await send("mail", [span(33, 32, .consumer)])
        try await send("stock", [span(34, 32, .consumer)])
        // Who takes a message may come before it, and be two.
        for service in ["mail", "stock"] { try await send(service, [span(60, 50, .consumer)]) }
        try await send("shop", [span(50, 3, .producer)])
        // The same ids in another trace are other spans.
        try await send("mail", [span(35, 2, .server, trace: 9)])
        // Whoever sends no spans is known by its caller, once nobody has come for long.
        try await send(
            "shop", [span(41, 3, .client, isError: true, [("peer.service", "stripe"), ("server.address", "x")])])
        let graph = store.serviceGraph
        let nobody = SpanBatch([], from: Resource([]))
        for round in 1...2 { graph.note(nobody, at: StoreTests.start + Int64(round) * 20_000) }

        _ = try await store.append(graph.samples(at: StoreTests.start, interval: 10_000))
        var calls: [String: Double] = [:]
        for (name, mark) in [("total", ""), ("failed_total", " failed")] {
            let matcher = LabelMatcher(LabelSet.name, .equal, "traces_service_graph_request_\(name)")
            for (labels, samples) in try StoreTests.all(store, [matcher]) {
                let edge = ["client", "server", "connection_type"].map { labels[$0] }
                calls[edge.joined(separator: ">") + mark] = samples.values.last ?? 0
            }
        }
        #expect(
            calls.filter { $0.value > 0 } == [
                "web>shop>": 3, "web>shop> failed": 1, "shop>postgresql>database": 1, "shop>mail>messaging_system": 2,
                "shop>stock>messaging_system": 2, "shop>stripe>virtual_node": 1, "shop>stripe>virtual_node failed": 1,
            ])
    }

    @Test func `rate, errors and duration of spans are metrics`() async throws {
        var random = RandomRecords(seed: 14)
        let store = try StoreTests.open(ForgetfulDisk())
        let resource = random.resource()
        let service = resource["service.name"]?.text ?? ""
        var spans = (0..<40).flatMap { random.trace(start: Self.start + UInt64($0), spans: 3, isError: $0 % 4 == 0) }
        _ = try await store.append(SpanBatch(spans, from: resource))
        // One that its process kept, and that stands for ten.
        var kept = random.trace(start: Self.start, spans: 1)
        kept[0].adjustedCount = 10
        _ = try await store.append(SpanBatch(kept, from: resource, flags: SpanBatch.keptFlag))
        spans += Array(repeating: kept[0], count: 10)
        _ = try await store.append(store.spanMetrics.samples(at: StoreTests.start, interval: 10_000))
        let calls = try StoreTests.all(store, [LabelMatcher(LabelSet.name, .equal, "traces_spanmetrics_calls_total")])
        #expect(calls.values.reduce(0) { $0 + ($1.values.last ?? 0) } == Double(spans.count))
        let failed = calls.filter { $0.key["status_code"] == "STATUS_CODE_ERROR" }.values.reduce(0) {
            $0 + ($1.values.last ?? 0)
        }
        #expect(failed == Double(spans.count { $0.isError }) && failed >= 10)
        #expect(calls.keys.allSatisfy { $0["service"] == service })
        for bound in [0.008, 0.064, 16.384] {
            let buckets = try StoreTests.all(
                store,
                [
                    LabelMatcher(LabelSet.name, .equal, "traces_spanmetrics_latency_bucket"),
                    LabelMatcher("le", .equal, SampleText.of(bound)),
                ])
            let below = spans.count { Double($0.duration) / 1e9 <= bound }
            #expect(buckets.values.reduce(0) { $0 + ($1.values.last ?? 0) } == Double(below))
        }
    }

    /// Said once more, without columns.
    private static func matches(_ span: SpanRecord, _ resource: Resource, _ query: SpanQuery) -> Bool {
        query.times.contains(span.start) && query.durations.contains(span.duration)
            && (query.service.map { $0 == resource["service.name"]?.text } ?? true)
            && (query.name.map { $0 == span.name } ?? true)
            && (query.kind.map { Int($0) == span.kind.rawValue } ?? true)
            && (query.isError.map { $0 == span.isError } ?? true)
            && query.attributes.allSatisfy { name, value in
                (span.attributes + resource.attributes).contains { $0.name == name && $0.value.text == value }
            }
    }

    @Test func `log records are found by text, words, attributes, level, time and trace, wherever they stand`()
        async throws
    {
        var random = RandomRecords(seed: 31)
        let store = try StoreTests.open(ForgetfulDisk())
        var all: [(LogRecord, Resource)] = []
        for round in 0..<6 {
            let (resource, logs) = (
                random.resource(), random.logs(start: Self.start + UInt64(round) * 100_000_000, count: 200)
            )
            all += logs.map { ($0, resource) }
            _ = try await store.append(LogBatch(logs, from: resource))
            if round == 2 || round == 4 { try store.flush() }
        }
        var found = 0
        for round in 0..<120 {
            let (log, resource) = all[Int.random(in: all.indices, using: &random.generator)]
            var query = LogQuery()
            query.isNewestFirst = round % 2 == 0
            if Bool.random(using: &random.generator) { query.severityMin = UInt8(log.severity.rawValue) }
            if Bool.random(using: &random.generator) {
                // From anywhere to anywhere, mostly within words.
                let first = Int.random(in: 0...log.body.count, using: &random.generator)
                let count = Int.random(in: 1...12, using: &random.generator)
                query.lines.append(.init(.contains, String(log.body.dropFirst(first).prefix(count))))
            }
            if Bool.random(using: &random.generator) { query.lines.append(.init(.matchesNot, "[0-9]1$")) }
            if Bool.random(using: &random.generator) {
                let text = log.body.suffix(Int.random(in: 0...9, using: &random.generator))
                query.lines.append(
                    .init(.matches, Bool.random(using: &random.generator) ? "(?i)\(text.uppercased())" : "\(text)"))
            }
            if Bool.random(using: &random.generator) { query.lines.append(.init(.lacks, "77")) }
            if Bool.random(using: &random.generator) { query.times = log.time...log.time + 40_000_000 }
            if Bool.random(using: &random.generator) { query.trace = log.trace?.traceID }
            if let word = log.body.split(separator: " ").first { query.words = [word.uppercased()] }
            if Bool.random(using: &random.generator) {
                query.matchers.append(LabelMatcher("service_name", .equal, resource["service.name"]?.text ?? ""))
            }
            if Bool.random(using: &random.generator) {
                query.matchers.append(LabelMatcher("user_id", .matches, "user-1.*|"))
            }
            let wanted = all.filter { Self.matches($0.0, $0.1, query) }.map { "\($0.0)" }
            let logs = try store.logs(query, limit: .max)
            try #require(logs.map { "\($0.record)" }.sorted() == wanted.sorted(), "\(query)")
            let times = logs.map(\.record.time)
            #expect(times == times.sorted(by: { query.isNewestFirst ? $0 > $1 : $0 < $1 }))
            #expect(try store.logs(query, limit: 3).map(\.record.time) == Array(times.prefix(3)))
            var count = 0
            try store.eachLog(query) { _, _ in count += 1 }
            #expect(count == logs.count)
            found += logs.count
        }
        #expect(found > 200)
        #expect(try store.logServices() == Set(all.map { $0.1["service.name"]?.text ?? "" }).sorted())
    }

    @Test(arguments: [
        ("plain text", "plain text", false), ("(?i)Zeile 7", "Zeile 7", true), (#"a\.b\(c\)\\"#, #"a.b(c)\"#, false),
        ("Straße", "Straße", false), ("", "", false),
    ])
    func `a regular expression that is a text is looked for as one`(pattern: String, text: String, isCaseless: Bool) {
        let literal = LiteralPattern(pattern)
        #expect(literal?.text == text && literal?.isCaseless == isCaseless)
    }

    @Test(arguments: [
        "a.b", "a|b", "^a", "a$", "[a]", "a{2}", "a+", #"\d"#, #"\1"#, #"a\"#, #"\bword"#, "(?s)a", #"\é"#,
    ])
    func `and one that is more is not`(pattern: String) { #expect(LiteralPattern(pattern) == nil) }

    @Test func `what a record says is found whatever it is, before and after it is written to a part`() async throws {
        let text = LogRecord(
            time: Self.start, severity: .info, body: "Payment_of order-4711 REFUSED (twice)", scope: "s",
            attributes: [Attribute("rate", .double(2.75e-05)), Attribute("cached", .bool(true))])
        var batch = LogBatch([text], from: Resource([Attribute("service.name", .string("shop"))]))
        for (number, (kind, bits)) in [
            (AttributeColumns.Kind.int, UInt64(bitPattern: -1_234)), (.double, (-1234.5).bitPattern),
            (.double, 1.25e-05.bitPattern), (.bool, 1),
        ].enumerated() {
            var row = LogBatch.Row()
            (row.time, row.bodyKind, row.body) = (Self.start + UInt64(number) + 1, kind, bits)
            batch.append(row, scope: 0)
        }
        let store = try StoreTests.open(ForgetfulDisk())
        _ = try await store.append(batch)
        for isWritten in [false, true] {
            if isWritten { try store.flush() }
            let bodies = try store.logs(LogQuery(), limit: 99).map(\.record.body)
            #expect(bodies.count == 5)
            for body in bodies {
                for first in 0..<body.count {
                    for count in 1...body.count - first {
                        let piece = String(body.dropFirst(first).prefix(count))
                        let pattern = piece.replacing(/[.+()]/) { "\\\($0.output)" }
                        for (operation, text) in [
                            (LogQuery.LineFilter.Operation.contains, piece), (.matches, pattern),
                            (.matches, "(?i)\(pattern)"),
                        ] {
                            var query = LogQuery()
                            query.lines = [.init(operation, text)]
                            let found = try store.logs(query, limit: 99).map(\.record.body)
                            try #require(found.contains(body), "\(operation.rawValue) \(text), in a part: \(isWritten)")
                        }
                    }
                }
            }
            for word in ["75e", "true", "4711", "1234", "25e"] {
                var query = LogQuery()
                query.words = [word]
                #expect(try !store.logs(query, limit: 9).isEmpty, "\(word), in a part: \(isWritten)")
            }
        }
    }

    @Test func `of letters that have relatives beyond ASCII no fragment is needed`() async throws {
        #expect(LiteralPattern("(?i)breakfasts")?.pieces == ["brea", "fa", "t"])
        var random = RandomRecords(seed: 77)
        let store = try StoreTests.open(ForgetfulDisk())
        let log = LogRecord(
            time: Self.start, severity: .info, body: "60 \u{212A}elvin gemes\u{17F}en", scope: "", trace: nil,
            attributes: [])
        _ = try await store.append(LogBatch([log], from: random.resource()))
        try store.flush()
        var query = LogQuery()
        query.lines = [.init(.matches, "(?i)kelvin GEMESSEN")]
        #expect(try store.logs(query, limit: 9).count == 1)
    }

    /// Said once more, without columns.
    private static func matches(_ log: LogRecord, _ resource: Resource, _ query: LogQuery) -> Bool {
        query.times.contains(log.time) && log.severity.rawValue >= Int(query.severityMin)
            && (query.trace.map { $0 == log.trace?.traceID } ?? true)
            && query.lines.allSatisfy { line in
                switch line.operation {
                case .contains: line.text.isEmpty || log.body.contains(line.text)
                case .lacks: !log.body.contains(line.text)
                case .matches where line.text.hasPrefix("(?i)"):
                    line.text.count == 4 || log.body.lowercased().contains(line.text.dropFirst(4).lowercased())
                case .matches: line.text.isEmpty || log.body.contains(line.text)
                case .matchesNot: !(log.body.hasSuffix("1") && log.body.dropLast().last?.isNumber == true)
                }
            }
            && query.words.allSatisfy { word in
                ([log.body] + log.attributes.map(\.value.text)).contains { $0.lowercased().contains(word.lowercased()) }
            }
            && query.matchers.allSatisfy { matcher in
                if matcher.name == "service_name" { return resource["service.name"]?.text == matcher.value }
                let value = log.attributes.first { $0.name == "user.id" }?.value.text ?? ""
                return value.isEmpty || value.hasPrefix("user-1")
            }
    }

    // MARK: Retention

    @Test func `after the hot window all traces with an error are there whole, and of the others a share`() async throws
    {
        var random = RandomRecords(seed: 21)
        let disk = ForgetfulDisk()
        var settings = SignalStore.Settings()
        settings.hotWindow = .seconds(300)
        var store = try StoreTests.open(disk, settings, now: StoreTests.start - 590_000)
        var (failed, others): ([TraceID: Int], [TraceID]) = ([:], [])
        var late: [(SpanRecord, Resource)] = []
        for round in 0..<10 {
            let resource = random.resource()
            var spans: [SpanRecord] = []
            for number in 0..<100 {
                var trace = random.trace(
                    start: Self.start + UInt64(round * 100 + number) * 9_000_000, spans: 4, isError: number % 50 == 3)
                let id = trace[0].context.traceID
                if number % 50 == 3 || number % 50 == 7 { failed[id] = 4 } else { others.append(id) }
                if number % 50 == 7 {
                    // The span that fails comes minutes later, when most of the trace was written long ago.
                    var span = trace.removeLast()
                    span.status = .error("late")
                    late.append((span, resource))
                }
                spans += trace
            }
            _ = try await store.append(SpanBatch(spans, from: resource))
            if round % 3 == 0 { try store.flush() }
        }
        try store.close()
        store = try StoreTests.open(disk, settings, now: StoreTests.start - 350_000)
        for (span, resource) in late { _ = try await store.append(SpanBatch([span], from: resource)) }
        try store.keepUp()
        for id in others.prefix(50) { #expect(try store.trace(id)?.spans.count == 4, "the hot window has all") }
        try store.close()
        for now in [StoreTests.start, StoreTests.start + 86_400_000] {
            store = try StoreTests.open(disk, settings, now: now)
            try store.keepUp()
            for (id, count) in failed { #expect(try store.trace(id)?.spans.count == count) }
            let kept = try others.filter { try store.trace($0) != nil }
            for id in kept { #expect(try store.trace(id)?.spans.count == 4, "whole or not at all") }
            #expect(kept.count > 30 && kept.count < 300, "\(kept.count) of \(others.count)")
            try store.close()
        }
    }

    @Test func `what a process has sampled out is there for the hot window, counts in no metric and goes then`()
        async throws
    {
        let (disk, resource) = (ForgetfulDisk(), Resource([Attribute("service.name", .string("shop"))]))
        let mailbox = SignalMailbox(resource: resource)
        var random = RandomRecords(seed: 8)
        var traces: [(id: TraceID, isSpare: Bool)] = []
        for number in 0..<200 {
            let spans = random.trace(start: Self.start + UInt64(number) * 9_000_000, spans: 3)
            let isSpare = number % 2 == 0
            traces.append((spans[0].context.traceID, isSpare))
            if isSpare {
                mailbox.take(spare: spans, from: resource)
            } else {
                mailbox.take(spans: spans, from: resource)
            }
        }
        let (kept, spare, _) = mailbox.empty()
        var store = try StoreTests.open(disk, now: StoreTests.start + 10_000)
        for batch in [kept, spare] { _ = try await store.append(batch) }
        _ = try await store.append(store.spanMetrics.samples(at: StoreTests.start, interval: 1_000))
        let calls = try StoreTests.all(store, [LabelMatcher(LabelSet.name, .equal, "traces_spanmetrics_calls_total")])
        #expect(calls.values.reduce(0) { $0 + ($1.values.last ?? 0) } == 300, "of those that were kept")
        for trace in traces { #expect(try store.trace(trace.id)?.spans.count == 3) }
        try store.close()
        store = try StoreTests.open(disk, now: StoreTests.start + 7_200_000)
        for _ in 0..<5 { try store.keepUp() }
        for trace in traces { #expect(try store.hasTrace(trace.id) == !trace.isSpare) }
        try store.close()
    }
}
