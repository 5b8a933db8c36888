// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Kernel
internal import NIOCore
internal import Web

/// The operator's pages. They know nothing that the observatory's public APIs do not tell to whoever looks.
package struct ConsolePages: Sendable {
    /// Answers a request as the APIs do.
    package typealias Answer = @Sendable (Request, BasicRequestContext) async throws -> Response

    private let version: String
    /// Queries of all pages at once.
    private let gate = Gate(8)
    private let places = LivePlaces()
    private let isOverTLS: Bool
    private let now: @Sendable () -> Double

    /// - Parameters:
    ///   - version: of the program.
    ///   - isOverTLS: whether browsers reach the pages by TLS without a proxy.
    ///   - now: seconds since 1970.
    package init(version: String, isOverTLS: Bool = false, now: @escaping @Sendable () -> Double) {
        (self.version, self.isOverTLS, self.now) = (version, isOverTLS, now)
    }

    private typealias Make = @Sendable (Visit) async throws -> Page

    private static let pages: [(path: String, make: Make)] = [
        ("overview", { Overview.page($0) }), ("services", { try await Services.page($0) }),
        ("services/:subject", { Services.one($0) }), ("traces", { try await Traces.page($0) }),
        ("traces/:subject", { try await TracePage.page($0) }), ("logs", { try await Logs.page($0) }),
        ("metrics", { Metrics.page($0) }), ("journeys", { Journeys.page($0) }),
        ("storage", { Storage.page($0) }),
    ]

    /// Puts the pages under `/console`, and a way there at the door. What they show they ask of `answer`.
    package func mount(on router: Router<BasicRequestContext>, asking answer: @escaping Answer) {
        for (path, make) in Self.pages {
            router.get("/console/\(path)") { request, context in
                try await show(request, visit(request, context, answer), make)
            }
        }
        for path in ["/", "/console"] {
            router.get("\(path)") { _, _ in PageResponse.redirect(to: "/console/overview") }
        }
        router.get("/console/complete") { request, context in
            let names = try? await Metrics.complete(visit(request, context, answer))
            return PageResponse.json(names ?? [])
        }
        mountSignIn(on: router, answer)
        let files: [(String, String, [UInt8])] = [
            ("console.css", "text/css; charset=utf-8", PackageResources.console_css),
            ("console.js", "text/javascript; charset=utf-8", PackageResources.console_js),
        ]
        for (name, type, bytes) in files {
            router.get("/console/\(name)") { _, _ in PageResponse.file(bytes, type) }
        }
    }

    private func visit(_ request: Request, _ context: BasicRequestContext, _ answer: @escaping Answer) -> Visit {
        let client = client(request, context, answer, token: SignIn.token(of: request))
        let subject = context.parameters.get("subject").flatMap { PercentEncoding.decode($0) } ?? ""
        return Visit(
            path: request.uri.path, subject: subject, query: request.uri.query ?? "", now: now(), client: client)
    }

    private func client(
        _ request: Request, _ context: BasicRequestContext, _ answer: @escaping Answer, token: String?
    ) -> ObservatoryClient {
        ObservatoryClient(
            answer: { try await answer($0, context) }, gate: gate, authorization: request.headers[.authorization],
            authority: request.head.authority, token: token)
    }

    private func show(_ request: Request, _ visit: Visit, _ make: @escaping Make) async throws -> Response {
        do {
            if visit["live"] != nil { return try await live(request, visit, make) }
            // Once a page has begun, it is too late to send somebody to sign in.
            try await visit.client.check()
            return PageResponse.page(try await make(visit), visit, request, version: version)
        } catch ClientError.notAllowed {
            guard visit["live"] == nil else { return Response(status: .unauthorized) }
            let then = PercentEncoding.encode(visit.again([]))
            return PageResponse.redirect(
                to: "/console/login?then=\(then)\(visit.client.token == nil ? "" : "&wrong=1")")
        } catch {
            let page = Page(
                title: "This page cannot be shown", tab: .overview,
                sections: [Section("fault") { "<p class=\"notice\" role=\"alert\">\(error.words)</p>" }], isLive: false)
            return PageResponse.page(page, visit, request, version: version, status: .serviceUnavailable)
        }
    }

    private func live(_ request: Request, _ visit: Visit, _ make: @escaping Make) async throws -> Response {
        try await visit.client.check()
        guard let place = places.take() else { return Response(status: .serviceUnavailable) }
        // As often as there is something new to see.
        let interval = visit.path.hasSuffix("/logs") ? 2 : min(60, max(5, visit.window.step))
        let stream = LiveStream(interval: .seconds(interval)) {
            // Each time about the time that it then is, and only as long as the token is good.
            try await visit.client.check()
            let query = request.uri.query ?? ""
            return try await make(
                Visit(path: visit.path, subject: visit.subject, query: query, now: now(), client: visit.client))
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: stream.body(on: place))
    }

    // MARK: Signing in

    private func mountSignIn(on router: Router<BasicRequestContext>, _ answer: @escaping Answer) {
        router.get("/console/login") { request, context in
            let visit = visit(request, context, answer)
            return PageResponse.html(
                SignIn.page(
                    then: SignIn.destination(visit["then"]), isWrong: visit["wrong"] != nil, version: version), request)
        }
        router.post("/console/login") { request, context in
            let body = try await request.body.collect(upTo: 16_384)
            let form = Visit(
                path: "/console/login", subject: "", query: String(buffer: body), now: now(),
                client: client(request, context, answer, token: nil))
            let then = SignIn.destination(form["then"])
            let client = client(request, context, answer, token: form["token"] ?? "-")
            guard (try? await client.check()) != nil else {
                return PageResponse.redirect(to: "/console/login?wrong=1&then=\(PercentEncoding.encode(then))")
            }
            return PageResponse.redirect(
                to: then, cookie: SignIn.cookie(form["token"] ?? "", isSecure: isSecure(request)))
        }
        router.post("/console/logout") { request, _ in
            PageResponse.redirect(to: "/console/login", cookie: SignIn.cookie("", isSecure: isSecure(request)))
        }
    }

    /// Where this ends TLS, or a proxy in front does.
    private func isSecure(_ request: Request) -> Bool {
        isOverTLS || HTTPField.Name("X-Forwarded-Proto").flatMap { request.headers[$0] } == "https"
    }
}
