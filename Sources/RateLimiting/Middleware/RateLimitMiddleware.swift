// SPDX-License-Identifier: Apache-2.0

internal import Foundation
package import HTTPTypes
public import Hummingbird
internal import Kernel
internal import NIOCore

/// Lets each client make so many requests in any span of a window, on any server of Hummingbird:
///
///     router.add(middleware: RateLimitMiddleware(window: .seconds(60), maxRequests: 100))
///
/// Beyond that it answers 429 with `Retry-After` and problem details, 403 what costs more than there ever is, and 503 where
/// shared limits cannot be asked about and are to close then; every answer tells what is left.
public struct RateLimitMiddleware<Context: RequestContext>: RouterMiddleware {
    private let limiter: RateLimiter
    /// Where the limits are shared with other processes.
    private let shared: SharedRateLimiter?
    private let message: String
    private let checks: @Sendable (Request, Context) -> [Check]

    /// - Parameters:
    ///   - window: the span that is looked at. Default: a minute.
    ///   - maxRequests: requests of one client in any such span. Default: 100.
    ///   - message: what a client who is refused is told.
    ///   - key: who a client is.
    /// - Throws: ``RatePolicyError``.
    public init(
        window: Duration = .seconds(60), maxRequests: Int = 100,
        message: String = "Too many requests. Wait as long as Retry-After says.",
        key: @escaping @Sendable (Request, Context) -> LimitKey
    ) throws {
        let limiter = try RateLimiter([.slidingWindow("default", limit: maxRequests, per: window)])
        let policy = limiter.policyIDs[0]
        self.init(limiter, message: message) { request, context in [Check(policy, key(request, context))] }
    }

    /// With policies of your own. `checks` says which of them a request is held to; none lets it pass.
    public init(
        _ limiter: RateLimiter, message: String = "Too many requests. Wait as long as Retry-After says.",
        checks: @escaping @Sendable (Request, Context) -> [Check]
    ) {
        self.limiter = limiter
        shared = nil
        self.message = message
        self.checks = checks
    }

    /// With policies that processes share.
    public init(
        _ limiter: SharedRateLimiter, message: String = "Too many requests. Wait as long as Retry-After says.",
        checks: @escaping @Sendable (Request, Context) -> [Check]
    ) {
        self.limiter = limiter.local
        shared = limiter
        self.message = message
        self.checks = checks
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let checks = checks(request, context)
        guard !checks.isEmpty else { return try await next(request, context) }
        let decision = if let shared { await shared.decide(checks) } else { limiter.decide(checks) }
        defer { if let shared { shared.release(decision, for: checks) } else { limiter.release(decision) } }
        let now = Int64(Date.now.timeIntervalSince1970)
        let fields = RateLimitFields(decision, of: limiter, now: now)
        var response = decision.isAllowed ? try await next(request, context) : refusal(decision)
        fields.add(to: &response.headers)
        return response
    }

    private func refusal(_ decision: Decision) -> Response {
        // What costs more than there ever is gains nothing by waiting.
        if decision.isImpossible { return Response(status: .forbidden) }
        let seconds = decision.retryAfterSeconds(of: limiter)
        if decision.isStoreAway {
            return Response(status: .serviceUnavailable, headers: [.retryAfter: String(seconds)])
        }
        var json = JSONWriter()
        json.value([
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "The quota is used up", "status": 429, "detail": .string(message),
            "violated-policies": .array(decision.violated(of: limiter).map { .string($0) }),
            "retryAfter": .integer(seconds),
        ])
        return Response(
            status: .tooManyRequests,
            headers: [.contentType: "application/problem+json", .retryAfter: String(seconds)],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}

extension RateLimitMiddleware where Context: RemoteAddressRequestContext {
    /// By the address that a request came from; the `X-Forwarded-For` of `proxies` is believed.
    /// - Throws: ``RatePolicyError``.
    public init(
        window: Duration = .seconds(60), maxRequests: Int = 100,
        message: String = "Too many requests. Wait as long as Retry-After says.", behind proxies: TrustedProxies = .none
    ) throws {
        try self.init(window: window, maxRequests: maxRequests, message: message) { request, context in
            // Whoever has no address, on a socket of this machine, is one client.
            guard let peer = context.remoteAddress.flatMap({ ClientAddress($0) }) else {
                return LimitKey("local")
            }
            return proxies.client(peer: peer, forwardedFor: request.headers.forwardedFor).key()
        }
    }
}

extension HTTPFields {
    /// The lines of `X-Forwarded-For`, in their order.
    package var forwardedFor: [String] { HTTPField.Name("X-Forwarded-For").map { self[values: $0] } ?? [] }
}

extension RateLimitFields {
    /// Every name and value, in the order in which they are sent.
    public var all: [(name: String, value: String)] {
        var fields: [(String, String)] = []
        if let policy { fields.append(("RateLimit-Policy", policy)) }
        if let limit { fields.append(("RateLimit", limit)) }
        if let legacy {
            fields.append(("X-RateLimit-Limit", String(legacy.limit)))
            fields.append(("X-RateLimit-Remaining", String(legacy.remaining)))
            fields.append(("X-RateLimit-Reset", String(legacy.reset)))
        }
        return fields
    }

    func add(to headers: inout HTTPFields) {
        for (name, value) in all {
            guard let name = HTTPField.Name(name) else { continue }
            headers[name] = value
        }
    }
}
