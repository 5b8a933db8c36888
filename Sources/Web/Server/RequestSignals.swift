// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import HTTPTypes
package import Hummingbird
internal import Instrumentation
internal import Kernel
internal import ServiceContextModule
internal import Synchronization
internal import Tracing

/// What is learnt of a request behind the router, for the middleware that stands before it.
final class RequestSignals: Sendable {
    private let known = Mutex<EndpointSignals?>(nil)
    private let told = Mutex<[HeaderField]>([])
    let facts = RequestFacts()
    private let caller = Mutex<(principal: Principal?, problem: String?)>((nil, nil))

    /// Who asks, as far as it is found out.
    var principal: Principal? {
        get { caller.withLock { $0.principal } }
        set { caller.withLock { $0.principal = newValue } }
    }

    /// The code of the problem that was answered.
    var problem: String? {
        get { caller.withLock { $0.problem } }
        set { caller.withLock { $0.problem = newValue } }
    }

    /// What the client is told of its quotas, whatever the answer is.
    var quota: [HeaderField] {
        get { told.withLock { $0 } }
        set { told.withLock { $0 = newValue } }
    }

    /// The endpoint that answers; `nil` for an address that is none.
    var endpoint: EndpointSignals? {
        get { known.withLock { $0 } }
        set { known.withLock { $0 = newValue } }
    }
}

/// The request metrics of one route (OpenTelemetry semantic conventions 1.44, HTTP server). Handlers are held, so that
/// counting a request looks nothing up in the registry.
final class EndpointSignals: Sendable {
    /// The address's template.
    let route: String?
    /// By the status, and by the place of the method among those that are known.
    private let timers = Mutex<[Int: any TimerHandler]>([:])

    /// What clients are told of an operation that is on its way out.
    let deprecation: [HeaderField]
    /// Whether the version that is spoken is told.
    let isVersioned: Bool
    /// By which clients reach the shop, whoever ends TLS.
    let scheme: String

    init(route: String?, scheme: String = "http", deprecation: [HeaderField] = [], isVersioned: Bool = false) {
        self.route = route
        self.isVersioned = isVersioned
        self.scheme = scheme
        self.deprecation = deprecation
    }

    static let unknown = EndpointSignals(route: nil)

    func answered(_ status: Int, _ method: String, after duration: Duration) {
        let known = Self.known.firstIndex(of: method)
        let timer = timers.withLock { timers in
            let key = status << 8 | (known ?? 0xFF)
            if let timer = timers[key] { return timer }
            var labels = [
                ("http.request.method", known == nil ? "_OTHER" : method),
                ("http.response.status_code", String(status)),
            ]
            if let route { labels.append(("http.route", route)) }
            if status >= 500 { labels.append(("error.type", String(status))) }
            let timer = MetricsSystem.factory.makeTimer(
                label: "http.server.request.duration", dimensions: labels + [("url.scheme", scheme)])
            timers[key] = timer
            return timer
        }
        timer.recordNanoseconds(duration.wholeNanoseconds)
    }

    private static let known = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT"]
}

/// Says which endpoint a request has come to, before anything can refuse it.
struct RouteMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let signals: EndpointSignals

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        context.signals.endpoint = signals
        return try await next(request, context)
    }
}

/// Measures and traces each request. Stands outside everything, so that it sees what the client gets.
package struct SignalsMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let requests: RequestLog

    /// What apps ask is noted in `requests`.
    package init(_ requests: RequestLog) { self.requests = requests }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let method = context.unknownMethod ?? request.method.rawValue
        var service = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(request.headers, into: &service, using: HeaderExtractor())
        return try await withSpan(method, context: service, ofKind: .server) { span in
            let response = try await next(request, context)
            let endpoint = context.signals.endpoint ?? .unknown
            let duration = ContinuousClock.now - start
            endpoint.answered(response.status.code, method, after: duration)
            requests.note(
                context.requestID, of: context.signals.principal?.app, method, endpoint.route,
                status: response.status.code, problem: context.signals.problem, after: duration,
                trace: ServiceContext.current.flatMap(Self.trace))
            if span.isRecording { describe(span, request, context, endpoint, response.status.code) }
            return response
        }
    }

    private func describe(
        _ span: any Span, _ request: Request, _ context: APIContext, _ endpoint: EndpointSignals, _ status: Int
    ) {
        let method = context.unknownMethod ?? request.method.rawValue
        span.operationName = endpoint.route.map { "\(method) \($0)" } ?? method
        let path = request.uri.path
        var attributes: SpanAttributes = [
            "http.request.method": .string(method),
            "url.path": .string(path.utf8.count > 1_000 ? String(path.prefix(1_000)) : path),
            "url.scheme": .string(endpoint.scheme), "http.response.status_code": .int64(Int64(status)),
            "vitrine.request.id": .string(context.requestID),
        ]
        if let route = endpoint.route { attributes["http.route"] = route }
        for (name, value) in context.signals.facts.subjects { attributes[name] = value }
        span.attributes = attributes
        // What the client did wrong is no error of the server (semantic conventions, HTTP spans, status).
        if status >= 500 { span.setStatus(.init(code: .error)) }
    }
}

extension SignalsMiddleware {
    /// The trace's id, as the instrument tells other processes of it (W3C Trace Context 1, section 3.2).
    fileprivate static func trace(of context: ServiceContext) -> String? {
        var fields: [String: String] = [:]
        InstrumentationSystem.instrument.inject(context, into: &fields, using: FieldInjector())
        let parts = fields["traceparent"]?.split(separator: "-") ?? []
        return parts.count == 4 ? String(parts[1]) : nil
    }
}

private struct FieldInjector: Injector {
    func inject(_ value: String, forKey key: String, into fields: inout [String: String]) { fields[key] = value }
}

private struct HeaderExtractor: Extractor {
    /// Those that tracers ask for. To make a name of a text costs more than to look for the field.
    private static let names = Dictionary(
        uniqueKeysWithValues: ["traceparent", "tracestate", "baggage", "x-correlation-id"].compactMap { key in
            HTTPField.Name(key).map { (key, $0) }
        })

    /// A field that is sent several times is joined, as RFC 9110 section 5.3 has it.
    func extract(key: String, from headers: HTTPFields) -> String? {
        guard let name = Self.names[key] ?? HTTPField.Name(key) else { return nil }
        return headers[name]
    }
}
