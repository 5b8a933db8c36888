// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
internal import Kernel
package import Resilience

/// Does faults to requests, after it is known whose they are: the edge `endpoint`, by `route`, `app` and `header.NAME`.
package struct FaultMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let faults: FaultInjector
    private let endpoint: Endpoint
    private let route: String

    package init(_ faults: FaultInjector, endpoint: Endpoint) {
        self.faults = faults
        self.endpoint = endpoint
        route = "\(endpoint.method.rawValue.uppercased()) \(endpoint.path)"
    }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // A body that was read cannot be read again, so that what is lost is the answer and not the request.
        try await Deadline.$current.withValue(.after(Preference.timeMax(of: endpoint, request.headers))) {
            try await faults.run(
                at: "endpoint", facts: facts(of: request, context),
                refusal: { Problem(.unavailable, "A fault that is made on purpose: \($0.name).") },
                { try await next(request, context) })
        }
    }

    private func facts(of request: Request, _ context: APIContext) -> [String: String] {
        var facts = ["route": route, "app": context.principal?.id ?? ""]
        for field in request.headers { facts["header.\(field.name.canonicalName)"] = field.value }
        return facts
    }
}

/// Keeps faults from whoever is to end them: nothing of such a request meets one, from the look at its key on.
package struct FaultExemptMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    package init() {}

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        try await FaultInjector.$isExempt.withValue(true) { try await next(request, context) }
    }
}
