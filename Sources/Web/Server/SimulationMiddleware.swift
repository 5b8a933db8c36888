// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Kernel

/// Does what ``Simulation`` says, where it may; and elsewhere refuses it, so that nobody pays for what was meant as a test.
package struct SimulationMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let endpoint: Endpoint
    private let isAllowed: Bool

    private static let name = HTTPField.Name(Simulation.header)

    package init(_ endpoint: Endpoint, isAllowed: Bool) {
        self.endpoint = endpoint
        self.isAllowed = isAllowed
    }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let name = Self.name, let header = request.headers[name] else { return try await next(request, context) }
        guard isAllowed else {
            throw Problem(.invalidParameter, "\(Simulation.header) is for the sandbox; this is a live shop.")
        }
        let simulation = try Simulation(header, of: endpoint)
        if simulation.latency > .zero { try await Task.sleep(for: simulation.latency) }
        if let problem = simulation.problem { throw Problem(problem, "Simulated, as \(Simulation.header) says.") }
        return try await Simulation.$current.withValue(simulation) { try await next(request, context) }
    }
}
