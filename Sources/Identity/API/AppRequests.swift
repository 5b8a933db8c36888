// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Which requests of which app are looked for.
struct AppRequestsQuery: WireBody {
    let id: AppID
    let filter: RequestLogQuery

    static let schema = Schema.object(
        "AppRequestsQuery",
        { id, request, method, route, status, problem, trace, after, before in
            AppRequestsQuery(
                id: id,
                filter: RequestLogQuery(
                    id: request, method: method, route: route, status: status, problem: problem, trace: trace,
                    after: after, before: before))
        },
        .required("id", \.id, .id()),
        RequestLogQuery.request(\.filter.id), RequestLogQuery.method(\.filter.method),
        RequestLogQuery.route(\.filter.route), RequestLogQuery.status(\.filter.status),
        RequestLogQuery.problem(\.filter.problem), RequestLogQuery.trace(\.filter.trace),
        RequestLogQuery.after(\.filter.after), RequestLogQuery.before(\.filter.before))
}
