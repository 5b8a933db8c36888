// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Kernel
internal import Synchronization
internal import Telemetry
internal import TelemetryStore

/// Loki's `tail`: log records over a WebSocket, first the latest that there are, and then each as it comes.
struct LokiTail: Sendable {
    static let path = "/loki/api/v1/tail"

    let api: LokiAPI
    let threads: QueryThreads
    let caller: Int
    let query: LogQuery
    /// Of the records that there are already, and of those that come between two messages.
    let limit: Int
    let isCategorized: Bool

    /// How often it is looked whether something has come.
    private static let interval = Duration.milliseconds(250)
    /// How long a client hears nothing at most.
    private static let silenceMax = Duration.seconds(20)
    /// How long a record that was among the first may take to become durable, and so to come again.
    private static let repeatsMax = Duration.seconds(60)
    private static let lookMax = Duration.seconds(60)
    private static let limitMax = 5_000

    /// - Throws: ``APIError`` for what cannot be tailed.
    init(_ parameters: Parameters, api: LokiAPI, threads: QueryThreads, caller: Int, isCategorized: Bool) throws {
        guard case .logs(var query) = try LogExpression(parsing: parameters.required("query")) else {
            throw APIError.badData("only log queries can be tailed")
        }
        let start = try api.nanoseconds("start", parameters)
        let hourAgo = UInt64(max(0, api.now() - 3_600_000)) * 1_000_000
        query.times = (start ?? hourAgo)...UInt64(Int64.max)
        let asked = try parameters.limit()
        (self.api, self.threads, self.caller, self.isCategorized) = (api, threads, caller, isCategorized)
        (self.query, limit) = (query, asked == 0 ? 100 : min(asked, Self.limitMax))
    }

    /// Until the client goes.
    func run(_ socket: LiveSocket) async throws {
        // Before it is looked what there is, so that nothing comes between.
        let tail = api.store.tailLogs()
        let known = try await look { isCancelled in
            try api.store.logs(query, limit: limit, isCancelled: isCancelled).reversed() as [StoredLog]
        }
        try await send(known, left: 0, socket)
        let begun = ContinuousClock.now
        var seen = Dictionary(known.map { (Fingerprint($0), 1) }, uniquingKeysWith: +)
        var lastSent = begun
        while true {
            try await Task.sleep(for: Self.interval)
            if ContinuousClock.now - lastSent > Self.silenceMax {
                try await socket.ping()
                lastSent = .now
            }
            if tail.isEmpty { continue }
            let (logs, left) = try await look { _ in try tail.take(query, limit: limit) }
            if !seen.isEmpty, ContinuousClock.now - begun > Self.repeatsMax { seen = [:] }
            // What was not yet durable when the first were looked for is among them, and comes as often again.
            let news = seen.isEmpty ? logs : logs.filter { !Self.take(Fingerprint($0), from: &seen) }
            guard !news.isEmpty || left > 0 else { continue }
            try await send(news, left: left, socket)
            lastSent = .now
        }
    }

    private static func take(_ fingerprint: Fingerprint, from seen: inout [Fingerprint: Int]) -> Bool {
        guard let count = seen[fingerprint], count > 0 else { return false }
        seen[fingerprint] = count - 1
        return true
    }

    private func look<Result: Sendable>(
        _ work: @escaping @Sendable (@escaping @Sendable () -> Bool) throws -> Result
    ) async throws -> Result {
        try await threads.run(of: caller, within: Self.lookMax, work)
    }

    private func send(_ logs: [StoredLog], left: Int, _ socket: LiveSocket) async throws {
        try await socket.send(
            LokiAnswers.tail(
                logs, left: left, isCategorized: isCategorized, at: UInt64(max(0, api.now())) * 1_000_000))
    }

    /// By which one record is told from another.
    private struct Fingerprint: Hashable {
        let time: UInt64
        let body: String
        let service: String
        let span: UInt64
        let severity: UInt8

        init(_ log: StoredLog) {
            (time, body) = (log.record.time, log.record.body)
            (span, severity) = (log.record.trace?.spanID ?? 0, log.severity)
            service = log.resource["service.name"]?.text ?? ""
        }
    }
}

/// Who tails, so that there are not too many.
final class TailCount: Sendable {
    static let max = 64

    private let count = Mutex(0)

    /// - Returns: whether there is room for one more.
    func begin() -> Bool {
        count.withLock { count in
            guard count < Self.max else { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}

extension ObservatoryServer {
    /// What a request for a WebSocket is told; `nil` where it is to be refused as any other request.
    func liveWork(_ request: LiveRequest) async -> LiveWork? {
        let fields = request.fields
        guard request.path == LokiTail.path, request.isOfOwnOrigin,
            await access.allows(authority: request.authority, authorization: fields[.authorization]),
            let found = try? tail(request.query, fields)
        else { return nil }
        return { [tails] socket in
            guard tails.begin() else { return }
            defer { tails.end() }
            try await found.run(socket)
        }
    }

    /// Answers who asks for `tail` by what it could not begin for.
    func mountTail(on router: Router<BasicRequestContext>) {
        router.get("\(LokiTail.path)") { request, _ in
            await guarded(request) {
                do {
                    _ = try tail(request.uri.query ?? "", HTTPFields())
                    return Dialect.loki.response(
                        .badData("tail is told over a WebSocket, to the pages of its own origin"))
                } catch let error as APIError {
                    return Dialect.loki.response(error)
                } catch {
                    return Dialect.loki.response(.badData("\(error)"))
                }
            }
        }
    }

    private func tail(_ query: String, _ fields: HTTPFields) throws -> LokiTail {
        var parameters = Parameters()
        parameters.add(query)
        let flags = HTTPField.Name("X-Loki-Response-Encoding-Flags").flatMap { fields[$0] } ?? ""
        return try LokiTail(
            parameters, api: LokiAPI(store: store, now: now), threads: threads,
            caller: ObservatoryAccess.caller(of: fields), isCategorized: flags.contains("categorize-labels"))
    }
}

extension LiveRequest {
    fileprivate var authority: String? { HTTPField.Name("Host").flatMap { fields[$0] } }

    /// A page of another site may begin a WebSocket, and read it, unless that is looked at here (RFC 6455 section 10.2).
    fileprivate var isOfOwnOrigin: Bool {
        guard let origin = fields[.origin] else { return true }
        return origin.split(separator: "/").last.map(String.init) == authority
    }
}
