// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Customers
package import Hummingbird
internal import Identity
internal import Inventory
internal import Jobs
internal import Kernel
internal import Logging
internal import NIOCore
internal import Ordering
internal import Payments
internal import ServiceLifecycle
internal import TLS
package import Web

extension Shop {
    /// Every endpoint of the shop, one mount for each slice.
    package var sliceEndpoints: [Endpoint] {
        catalog.endpoints
            + inventory.endpoints
            + customers.endpoints
            + ordering.endpoints
            + payments.endpoints
            + identity.endpoints
            + FaultEndpoints(faults: configuration.faults, wires: wires.edges, outbox: jobs.outbox).endpoints
    }

    var serviceEndpoints: ServiceEndpoints {
        ServiceEndpoints(
            version: VitrineCommand.version, server: configuration.baseURL, versions: configuration.versions)
    }

    /// Middleware from the outside in, then the endpoints.
    package func makeResponder(beside others: [Endpoint] = []) -> some HTTPResponder<APIContext> {
        makeResponder(with: others + portalEndpoints(asking: makeResponder(with: [])))
    }

    private func makeResponder(with others: [Endpoint]) -> some HTTPResponder<APIContext> {
        let router = Router(context: APIContext.self)
        router.add(middleware: SignalsMiddleware(calls.requests))
        router.add(middleware: SecurityHeadersMiddleware(baseURL: configuration.baseURL))
        router.add(middleware: CrossOriginMiddleware(isAllowed: identity.isCallingOrigin))
        router.add(middleware: ProblemMiddleware(baseURL: configuration.baseURL, versions: configuration.versions))
        let authenticate = identity.authenticate
        let table = RouteTable(services: calls)
        // What speaks OAuth, and what people see of it, is described by its own documents.
        let signIn = identity.protocolEndpoints + identity.pageEndpoints
        table.mount(serviceEndpoints.endpoints(describing: sliceEndpoints) + signIn + others, on: router) { endpoint in
            let limited: [any MiddlewareProtocol<Request, Response, APIContext>] = [
                AuthenticationMiddleware(access: endpoint.access, limits: calls.limits, authenticate: authenticate),
                LimitMiddleware(calls.limits, endpoint: endpoint, clock: clock),
                AccessMiddleware(endpoint),
                SimulationMiddleware(endpoint, isAllowed: configuration.isSandbox),
            ]
            guard let faults = configuration.faults else { return limited }
            if endpoint.path == FaultEndpoints.path { return [FaultExemptMiddleware()] + limited }
            return limited + [FaultMiddleware(faults, endpoint: endpoint)]
        }
        return table.responder(over: router.buildResponder())
    }

    /// The server with everything that runs beside it, as one service that finishes what it took before it ends.
    /// `onRunning` is told the port once the server listens.
    func makeApplication(
        beside others: [Endpoint] = [], certificates: Certificates? = nil,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> some Service {
        configuration.server(
            of: makeResponder(beside: others), ready: calls.ready, clock: clock, certificates: certificates,
            services: services, onRunning: onRunning)
    }
}

extension Configuration {
    /// What listens on the port and hands requests to `responder`.
    func server(
        of responder: some HTTPResponder<APIContext>, ready answers: ReadyAnswers, clock: WallClock,
        certificates: Certificates?, services: [any Service] = [], onRunning: @escaping @Sendable (Int) async -> Void
    ) -> some Service {
        var logger = Logger(label: "vitrine.server")
        logger.logLevel = max(logLevel, .warning)
        return Application(
            responder: responder,
            server: .shop(
                answers: answers, idleTimeout: .seconds(idleSeconds), baseURL: baseURL, clock: clock,
                certificates: certificates),
            configuration: .init(address: .hostname(host, port: port), serverName: "vitrine"),
            services: services,
            onServerRunning: { await onRunning($0.localAddress?.port ?? 0) },
            logger: logger)
    }
}
