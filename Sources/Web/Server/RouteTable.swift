// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird

/// Mounts endpoints on a Hummingbird router.
package struct RouteTable {
    private let services: CallServices

    package init(services: CallServices) { self.services = services }

    /// Mounts `endpoints` behind the router's middleware and, for each of them, `middleware`.
    ///
    /// Methods that a path does not have are answered 405 with `Allow` (RFC 9110 section 15.5.6).
    package func mount(
        _ endpoints: [Endpoint], on router: Router<APIContext>,
        behind middleware: (Endpoint) -> [any MiddlewareProtocol<Request, Response, APIContext>]
    ) {
        let scheme = String(services.baseURL.prefix { $0 != ":" })
        for endpoint in endpoints {
            let group = router.group()
            let signals = EndpointSignals(
                route: endpoint.path, scheme: scheme, deprecation: endpoint.deprecation?.headers ?? [],
                isVersioned: endpoint.isVersioned)
            group.add(middleware: RouteMiddleware(signals: signals))
            for one in middleware(endpoint) { group.add(middleware: one) }
            let responder = EndpointResponder(endpoint: endpoint, services: services, signals: signals)
            for method in Self.methods(of: endpoint) {
                group.on(RouterPath(endpoint.path), method: method, responder: responder)
            }
        }
        for (path, all) in Dictionary(grouping: endpoints, by: \.path) {
            let allowed = all.flatMap(Self.methods)
            let responder = MethodNotAllowedResponder(allowed: allowed.map(\.rawValue).sorted())
            for method in Self.known where !allowed.contains(method) {
                router.on(RouterPath(path), method: method, responder: responder)
            }
        }
    }

    /// Routes a request whose method no route was mounted for, such as `PROPFIND`, as a method that no path has, so that
    /// a known path answers 405 with `Allow` and an unknown one 404.
    package func responder(over router: some HTTPResponder<APIContext>) -> some HTTPResponder<APIContext> {
        CallbackResponder { [ready = services.ready] request, context in
            var context = context
            context.moment = ready.now
            if Self.known.contains(request.method) { return try await router.respond(to: request, context: context) }
            context.unknownMethod = request.method.rawValue
            var head = request.head
            head.method = .trace
            return try await router.respond(to: Request(head: head, body: request.body), context: context)
        }
    }

    private static let known: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .trace, .connect,
    ]

    private static func methods(of endpoint: Endpoint) -> [HTTPRequest.Method] {
        switch endpoint.method {
        case .get: [.get, .head]
        case .post: [.post]
        case .put: [.put]
        case .patch: [.patch]
        case .delete: [.delete]
        }
    }
}
