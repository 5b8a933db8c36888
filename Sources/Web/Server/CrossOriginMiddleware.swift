// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird

/// Lets pages of registered origins call the API from a browser (CORS, Fetch Standard section 3.2). Cookies are never part of
/// that: what such a page may do, its token says.
package struct CrossOriginMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    /// Whether an origin is one of the app whose token an `Authorization` has, or of any app where it has none.
    package typealias IsAllowed = @Sendable (_ origin: String, _ authorization: String?) async throws -> Bool

    private let isAllowed: IsAllowed

    package init(isAllowed: @escaping IsAllowed) { self.isAllowed = isAllowed }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // Where it cannot be found out, because the database is away, nobody is let in by it, and the rest says so.
        guard let origin = request.headers[.origin], Self.isCallable(request.uri.path),
            (try? await isAllowed(origin, request.headers[.authorization])) == true
        else { return try await next(request, context) }
        if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
            return Response(status: .noContent, headers: Self.permission(of: origin))
        }
        var response = try await next(request, context)
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.accessControlExposeHeaders] = Self.exposed
        return response
    }

    /// Pages for people are not to be called; they are looked at.
    private static func isCallable(_ path: String) -> Bool {
        path.hasPrefix("/v1/") || callable.contains(path)
    }

    private static let callable: Set = ["/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/oauth/par"]

    private static func permission(of origin: String) -> HTTPFields {
        [
            .accessControlAllowOrigin: origin,
            .accessControlAllowMethods: "GET, HEAD, POST, PUT, PATCH, DELETE",
            .accessControlAllowHeaders: "Accept, Accept-Language, Authorization, Content-Type, DPoP, Idempotency-Key, "
                + "If-Match, If-None-Match, Prefer, traceparent, tracestate, Vitrine-Simulate, Vitrine-Version, X-Correlation-ID",
            .accessControlMaxAge: "7200", .vary: "Origin, Access-Control-Request-Headers",
        ]
    }

    private static let exposed =
        "Deprecation, DPoP-Nonce, ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset, "
        + "Vitrine-Version, WWW-Authenticate, X-Request-Id"
}
