// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
package import Telemetry

/// Who calls whom, as metrics with the names that Grafana's Tempo gives them: `traces_service_graph_request_total` and so on, by
/// `client`, `server` and `connection_type`.
///
/// A call is a span of one service whose parent is a span of another. The two come apart, each when its own service sends it;
/// who comes first waits some seconds for the other. A call of something that sends no spans, such as a database, is known by what
/// its caller says of it. Counted are all spans that come, before any is sampled away. Counts begin at zero with the process.
package final class ServiceGraph: Sendable {
    fileprivate struct Edge: Hashable {
        let client: Int
        let server: Int
        let connection: Connection
    }

    fileprivate enum Connection: String {
        case direct = ""
        case messaging = "messaging_system"
        case database
        case far = "virtual_node"
    }

    fileprivate struct Calls {
        var count = 0.0
        var failed = 0.0
        var isTold = false
        var seenByClient = Latencies()
        var seenByServer = Latencies()
    }

    fileprivate struct Key: Hashable {
        let trace: UInt64
        /// The span of the caller.
        let span: UInt64
    }

    /// One end of a call.
    fileprivate struct End {
        let service: [UInt8]
        var isFailed = false
        let seconds: Double
        let weight: Double
        /// Of a caller: whom it says that it calls.
        var peer: [UInt8]?
        /// Of a caller: whether whom it called has come.
        var isMet = false
    }

    fileprivate struct State {
        var names: [[UInt8]] = []
        var numbers: [[UInt8]: Int] = [:]
        var edges: [Edge: Calls] = [:]
        /// Who waits for the other end, those who came lately and those before them.
        var callers = Generations<Key, End>()
        var callees = Generations<Key, [End]>()
        /// Milliseconds since 1970.
        var turned: Int64 = 0
        /// Ends for which there was no room.
        var dropped = 0.0
    }

    /// Milliseconds that an end waits at least; twice as many at most.
    private static let patience: Int64 = 15_000
    /// Calls of which an end waits, of each generation. When they are so many, further ones are not counted.
    fileprivate static let waitingMax = 60_000
    /// Calls that are told apart.
    fileprivate static let edgesMax = 500

    private let state = Mutex(State())

    /// Counts the calls in a batch. The time is in milliseconds since 1970.
    func note(_ batch: SpanBatch, at time: Int64) {
        // What texts say is found out before the lock is taken, for which other senders wait.
        let services = batch.origins.scopes.indices.map { batch.origins.service(ofScope: $0, in: batch.bytes) }
        let peers = (0..<batch.count).map { row in
            Self.isCaller(batch.kinds[row]) ? Self.peer(batch, row) : nil
        }
        state.withLock { state in
            for row in 0..<batch.count {
                state.note(batch, row, services[Int(batch.scopes[row])], peers[row])
            }
            if time - state.turned >= Self.patience {
                state.turn()
                state.turned = time
            }
        }
    }

    /// All calls as they are now. What is told of for the first time was zero `interval` before, so that rates see it.
    /// Times are in milliseconds, since 1970.
    package func samples(at time: Int64, interval: Int64) -> SampleBatch {
        let (edges, names, dropped) = state.withLock { state in
            defer { for edge in state.edges.keys { state.edges[edge]?.isTold = true } }
            return (state.edges, state.names, state.dropped)
        }
        var batch = SampleBatch()
        if dropped > 0 {
            batch.begin(LabelSet([MetricLabel(LabelSet.name, "traces_service_graph_dropped_spans_total")]))
            batch.add(time, dropped)
        }
        for (edge, calls) in edges {
            let labels = [
                MetricLabel("client", String(decoding: names[edge.client], as: UTF8.self)),
                MetricLabel("server", String(decoding: names[edge.server], as: UTF8.self)),
                MetricLabel("connection_type", edge.connection.rawValue),
            ].filter { !$0.value.isEmpty }
            func add(_ name: String, _ value: Double, _ more: [MetricLabel]) {
                let name = MetricLabel(LabelSet.name, "traces_service_graph_request_\(name)")
                batch.begin(LabelSet([name] + labels + more))
                if !calls.isTold { batch.add(time - interval, 0) }
                batch.add(time, value)
            }
            add("total", calls.count, [])
            add("failed_total", calls.failed, [])
            if calls.seenByClient.count > 0 { calls.seenByClient.write(add, as: "client_seconds") }
            if calls.seenByServer.count > 0 { calls.seenByServer.write(add, as: "server_seconds") }
        }
        return batch
    }

    /// For those who ask what metrics there are.
    package static let metadata = [
        "traces_service_graph_request_total": MetricMetadata(
            type: "counter", help: "Calls between services, before sampling.", unit: ""),
        "traces_service_graph_request_failed_total": MetricMetadata(
            type: "counter", help: "Calls of which one end says that it failed.", unit: ""),
        "traces_service_graph_dropped_spans_total": MetricMetadata(
            type: "counter", help: "Spans whose calls are not counted for want of room.", unit: ""),
        "traces_service_graph_request_client_seconds": MetricMetadata(
            type: "histogram", help: "How long they took for who called.", unit: "seconds"),
        "traces_service_graph_request_server_seconds": MetricMetadata(
            type: "histogram", help: "How long they took for who was called.", unit: "seconds"),
    ]
}

/// What waits, until it has been passed over twice.
private struct Generations<Key: Hashable, Value> {
    private(set) var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    subscript(key: Key) -> Value? { young[key] ?? old[key] }

    mutating func put(_ value: Value, _ key: Key) { young[key] = value }

    mutating func update(_ key: Key, _ body: (inout Value) -> Void) {
        if var value = young[key] {
            body(&value)
            young[key] = value
        } else if var value = old[key] {
            body(&value)
            old[key] = value
        }
    }

    mutating func remove(_ key: Key) {
        young[key] = nil
        old[key] = nil
    }

    /// - Returns: What waits no longer.
    mutating func turn() -> [Value] {
        defer { (old, young) = (young, [:]) }
        return Array(old.values)
    }
}

extension ServiceGraph.State {
    fileprivate mutating func number(of name: [UInt8]) -> Int {
        if let number = numbers[name] { return number }
        names.append(name)
        numbers[name] = names.count - 1
        return names.count - 1
    }

    /// OTLP numbers kinds: 2 a server, 3 a client, 4 a producer, 5 a consumer.
    fileprivate mutating func note(
        _ batch: SpanBatch, _ row: Int, _ service: [UInt8], _ peer: (name: [UInt8], isDatabase: Bool)?
    ) {
        let kind = batch.kinds[row]
        guard kind >= 2 else { return }
        var end = ServiceGraph.End(
            service: service, isFailed: batch.statuses[row] == 2, seconds: Double(batch.duration(of: row)) / 1e9,
            weight: batch.weight(of: row))
        if ServiceGraph.isCaller(kind) {
            end.peer = peer?.name
            // A database tells nothing itself: there is nobody to wait for.
            if let peer, peer.isDatabase { return add(end, nil, .database) }
            called(end, ServiceGraph.Key(trace: batch.traceLows[row], span: batch.spanIDs[row]), isMessage: kind == 4)
        } else if batch.parentIDs[row] != 0 {
            answered(
                end, ServiceGraph.Key(trace: batch.traceLows[row], span: batch.parentIDs[row]), isMessage: kind == 5)
        }
    }

    private mutating func called(_ caller: ServiceGraph.End, _ key: ServiceGraph.Key, isMessage: Bool) {
        var caller = caller
        let waiting = callees[key] ?? []
        for callee in isMessage ? waiting[...] : waiting.prefix(1) {
            caller.isMet = true
            add(caller, callee, isMessage ? .messaging : .direct)
        }
        if caller.isMet { callees.remove(key) }
        // A message may have more who take it.
        guard !caller.isMet || isMessage else { return }
        if callers.young.count < ServiceGraph.waitingMax {
            callers.put(caller, key)
        } else if !caller.isMet {
            dropped += caller.weight
        }
    }

    private mutating func answered(_ callee: ServiceGraph.End, _ key: ServiceGraph.Key, isMessage: Bool) {
        guard let caller = callers[key] else {
            let others = callees[key] ?? []
            guard callees.young.count < ServiceGraph.waitingMax, others.count < 16 else {
                return dropped += callee.weight
            }
            return callees.put(others + [callee], key)
        }
        add(caller, callee, isMessage ? .messaging : .direct)
        if isMessage { callers.update(key) { $0.isMet = true } } else { callers.remove(key) }
    }

    /// Who has waited long enough has called something that sends no spans; who was called so, was called by somebody unknown.
    fileprivate mutating func turn() {
        for caller in callers.turn() where !caller.isMet && caller.peer != nil { add(caller, nil, .far) }
        _ = callees.turn()
    }

    private mutating func add(
        _ caller: ServiceGraph.End, _ callee: ServiceGraph.End?, _ connection: ServiceGraph.Connection
    ) {
        guard let server = callee?.service ?? caller.peer, server != caller.service else { return }
        // Names are numbered only for what is counted, so that hosts that are called once use none up.
        let known = numbers[caller.service].flatMap { client in
            numbers[server].map { ServiceGraph.Edge(client: client, server: $0, connection: connection) }
        }
        guard known.map({ edges[$0] != nil }) == true || edges.count < ServiceGraph.edgesMax else {
            return dropped += caller.weight
        }
        let edge =
            known
            ?? ServiceGraph.Edge(
                client: number(of: caller.service), server: number(of: server), connection: connection)
        edges[edge, default: ServiceGraph.Calls()].count += caller.weight
        if caller.isFailed || callee?.isFailed == true { edges[edge]?.failed += caller.weight }
        edges[edge]?.seenByClient.add(caller.seconds, caller.weight)
        if let callee { edges[edge]?.seenByServer.add(callee.seconds, caller.weight) }
    }
}

extension ServiceGraph {
    /// A client, or a producer, as OTLP numbers them.
    fileprivate static func isCaller(_ kind: UInt8) -> Bool { kind == 3 || kind == 4 }

    /// Attributes by which a caller names whom it calls, the most telling first.
    private static let peers = ["peer.service", "db.system.name", "db.system", "messaging.system", "server.address"]
        .map { Array($0.utf8) }

    fileprivate static func peer(_ batch: SpanBatch, _ row: Int) -> (name: [UInt8], isDatabase: Bool)? {
        var best: (rank: Int, name: [UInt8])?
        var isDatabase = false
        for place in batch.attributes(of: row) where batch.attributes.kinds[place] == .string {
            let name = batch.bytes[batch.attributes.names[place].range]
            guard let rank = peers.firstIndex(where: { $0.count == name.count && name.elementsEqual($0) }) else {
                continue
            }
            isDatabase = isDatabase || rank == 1 || rank == 2
            guard rank < best?.rank ?? .max else { continue }
            best = (rank, Array(batch.bytes[TextRange(bits: batch.attributes.values[place]).range]))
        }
        return best.flatMap { $0.name.isEmpty ? nil : ($0.name, isDatabase) }
    }
}
