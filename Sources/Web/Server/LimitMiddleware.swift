// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
package import Kernel
internal import RateLimiting

/// Counts a request under the limits of who sends it, and refuses it where one is used up. Stands behind authentication.
package struct LimitMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let limits: RequestLimits
    private let use: EndpointUse
    private let access: Access
    private let clock: WallClock

    package init(_ limits: RequestLimits, endpoint: Endpoint, clock: WallClock) {
        self.limits = limits
        use = endpoint.use
        access = endpoint.access
        self.clock = clock
    }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // Of a key, where it came from says nothing.
        let address = context.principal == nil ? limits.address(of: request, context) : nil
        if request.uri.query?.contains("dry_run=") == true, request.uri.queryParameters["dry_run"] == "cost" {
            // Who may not is refused as without asking for the price, and counted.
            guard (try? access.require(of: context.principal)) != nil else {
                return try await counted(request, context, address, next)
            }
            let decision = await limits.look(context.principal, address, use)
            return Response(price(decision), requestID: context.requestID, method: request.method)
        }
        return try await counted(request, context, address, next)
    }

    private func counted(
        _ request: Request, _ context: APIContext, _ address: ClientAddress?,
        _ next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let ruling = await limits.decide(context.principal, address, use) else {
            return try await next(request, context)
        }
        defer { limits.release(ruling) }
        context.signals.quota = limits.fields(ruling.decision, now: clock.now())
        guard ruling.decision.isAllowed else { throw limits.problem(ruling.decision) }
        return try await next(request, context)
    }

    /// What the request would cost and whether it would be let in, told before anything is spent.
    private func price(_ decision: Decision?) -> WireResponse {
        var policies: [JSON] = []
        for place in 0..<(decision?.count ?? 0) {
            guard let quota = decision?[place] else { continue }
            policies.append([
                "policy": .string(limits.limiter.name(of: quota.policy)), "limit": .integer(Int64(quota.limit)),
                "available": .integer(Int64(quota.available)), "allowed": .bool(quota.fits),
            ])
        }
        var json = JSONWriter()
        json.value([
            "cost": .integer(Int64(use.cost)), "allowed": .bool(decision?.isAllowed ?? true),
            "retry_after": .integer(decision.map { ($0.waitNanoseconds + 999_999_999) / 1_000_000_000 } ?? 0),
            "policies": .array(policies),
        ])
        return WireResponse(
            status: 200,
            headers: [HeaderField("Content-Type", "application/json"), HeaderField("Cache-Control", "no-store")],
            body: json.bytes)
    }
}

extension RequestLimits {
    /// Where a request came from, past the proxies that are trusted.
    func address(of request: Request, _ context: APIContext) -> ClientAddress? {
        context.peer.map { proxies.client(peer: $0, forwardedFor: request.headers.forwardedFor) }
    }
}

extension Endpoint {
    var use: EndpointUse {
        EndpointUse(cost: cost, kind: isChange ? .write : isSearch ? .search : .read)
    }
}
