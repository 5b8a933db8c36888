// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
internal import Kernel
package import Resilience

/// Does faults to requests, after it is known whose they are: the edge `endpoint`, by `route` and `app`.
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
                at: "endpoint", facts: ["route": route, "app": context.principal?.id ?? ""],
                refusal: { Problem(.unavailable, "A fault that is made on purpose: \($0.name).") },
                { try await next(request, context) })
        }
    }
}
