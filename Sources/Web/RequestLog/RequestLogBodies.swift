// SPDX-License-Identifier: Apache-2.0

package import Kernel
package import Persistence

/// Which requests of an app are looked for.
package struct RequestLogQuery: WireBody {
    package let id: String?
    package let method: String?
    package let route: String?
    package let status: String?
    package let problem: String?
    package let trace: String?
    package let after: Timestamp?
    package let before: Timestamp?

    package init(
        id: String?, method: String?, route: String?, status: String?, problem: String?, trace: String?,
        after: Timestamp?, before: Timestamp?
    ) {
        (self.id, self.method, self.route, self.status) = (id, method, route, status)
        (self.problem, self.trace, self.after, self.before) = (problem, trace, after, before)
    }

    package static let schema = Schema.object(
        "RequestLogQuery", RequestLogQuery.init, request(\.id), method(\.method), route(\.route), status(\.status),
        problem(\.problem), trace(\.trace), after(\.after), before(\.before))

    var statuses: ClosedRange<Int>? { status.flatMap(Self.statuses) }

    private static func statuses(_ text: String) -> ClosedRange<Int>? {
        guard text.hasSuffix("xx") else { return Int(text).map { $0...$0 } }
        return Int(text.prefix(1)).map { $0 * 100...$0 * 100 + 99 }
    }
}

// Its fields, for queries that say whose requests they are about, too.
extension RequestLogQuery {
    package typealias Get<Root, Value> = @Sendable (Root) -> Value?

    package static func request<Root>(_ get: @escaping Get<Root, String>) -> Field<Root, String?> {
        .optional("request_id", get, .string(1...100), "As `X-Request-Id` of the answer says it.")
    }
    package static func method<Root>(_ get: @escaping Get<Root, String>) -> Field<Root, String?> {
        .optional("method", get, .string(1...20), "For example `POST`.")
    }
    package static func route<Root>(_ get: @escaping Get<Root, String>) -> Field<Root, String?> {
        .optional("route", get, .string(1...200), "The address' template, for example `/v1/orders/{id}`.")
    }
    package static func status<Root>(_ get: @escaping Get<Root, String>) -> Field<Root, String?> {
        let form = Schema.string(pattern: "^[1-5](xx|[0-9]{2})$", example: "4xx", lengths: 3...3) { text in
            "12345".contains(text.prefix(1)) && (text.hasSuffix("xx") || text.allSatisfy { ("0"..."9").contains($0) })
        }
        return .optional("status", get, form, "One, or a class such as `4xx`.")
    }
    package static func problem<Root>(_ get: @escaping Get<Root, String>) -> Field<Root, String?> {
        .optional("problem", get, .string(1...100), "The `code` of a problem.")
    }
    package static func trace<Root>(_ get: @escaping Get<Root, String>) -> Field<Root, String?> {
        .optional("trace_id", get, .string(32...32), "The trace that the request belongs to.")
    }
    package static func after<Root>(_ get: @escaping Get<Root, Timestamp>) -> Field<Root, Timestamp?> {
        .optional("after", get, .timestamp, "Not before this time.")
    }
    package static func before<Root>(_ get: @escaping Get<Root, Timestamp>) -> Field<Root, Timestamp?> {
        .optional("before", get, .timestamp, "Before this time.")
    }
}

/// One request of an app, as its developers see it.
package struct RequestLogBody: WireBody {
    private let id: String
    private let at: Timestamp
    private let method: String
    private let route: String
    private let status: Int
    private let problem: String?
    private let microseconds: Int
    private let trace: String?

    package static let schema = Schema.object(
        "AppRequest", RequestLogBody.init,
        .required("request_id", \.id, .string()), .required("at", \.at, .timestamp),
        .required("method", \.method, .string()),
        .required("route", \.route, .string(), "The address' template; empty where there is none of that address."),
        .required("status", \.status, .integer(100...599)),
        .optional("problem", \.problem, .string(), "Its `code`, where it was refused or failed."),
        .required(
            "duration_microseconds", \.microseconds, .count, "From the head of the request to that of the answer."),
        .optional("trace_id", \.trace, .string()))

    private init(
        id: String, at: Timestamp, method: String, route: String, status: Int, problem: String?, microseconds: Int,
        trace: String?
    ) {
        (self.id, self.at, self.method, self.route) = (id, at, method, route)
        (self.status, self.problem, self.microseconds, self.trace) = (status, problem, microseconds, trace)
    }

    init(_ entry: RequestLog.Entry) {
        self.init(
            id: entry.id, at: entry.at, method: entry.method, route: entry.route, status: entry.status,
            problem: entry.problem, microseconds: Int(entry.microseconds), trace: entry.trace)
    }
}

extension Call {
    /// What an app has asked, by whoever may see that; `mayRead` says so in the same look at the shop.
    package func requests(
        of app: String, _ query: RequestLogQuery, mayRead: @escaping @Sendable (Connection) throws -> Void = { _ in }
    ) async throws -> Listing<RequestLogBody> {
        let page = page
        let found = try await database.read { connection in
            try mayRead(connection)
            return try RequestLogStore.page(of: app, query, page, in: connection)
        }
        return Listing(found.map { RequestLogBody($0) })
    }
}
