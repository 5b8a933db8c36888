// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Kernel

/// Finds out who asks, and refuses who may not, before anything is looked up on their behalf.
package struct AuthenticationMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let access: Access
    private let authenticate: Authenticate
    private let limits: RequestLimits

    package init(access: Access, limits: RequestLimits, authenticate: @escaping Authenticate) {
        self.access = access
        self.limits = limits
        self.authenticate = authenticate
    }

    package func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        if case .open = access { return try await next(request, context) }
        guard let token = Self.bearerToken(request.headers[.authorization]) else {
            throw Self.challenge("This operation needs an API key. Send Authorization: Bearer <key>.")
        }
        guard let principal = try await authenticate(token) else {
            try await limits.noteFailedSignIn(from: limits.address(of: request, context))
            throw Self.challenge("This API key is unknown, revoked or expired.", error: "invalid_token")
        }
        if case .scope(let scope) = access, !principal.scopes.contains(scope) {
            throw Problem(.insufficientScope, "This operation needs the scope \(scope.rawValue).")
                .with("scope", .string(scope.rawValue))
                .with(
                    header: "WWW-Authenticate",
                    "Bearer realm=\"vitrine\", error=\"insufficient_scope\", scope=\"\(scope.rawValue)\"")
        }
        var context = context
        context.principal = principal
        return try await next(request, context)
    }

    /// The challenge of RFC 6750 section 3.
    private static func challenge(_ detail: String, error: String? = nil) -> Problem {
        let parameter = error.map { ", error=\"\($0)\"" } ?? ""
        return Problem(.unauthenticated, detail)
            .with(header: "WWW-Authenticate", "Bearer realm=\"vitrine\"\(parameter)")
    }

    private static func bearerToken(_ header: String?) -> String? {
        guard let header, let space = header.firstIndex(of: " "), header[..<space].lowercased() == "bearer" else {
            return nil
        }
        let token = header[space...].trimmingSpace
        return (1...512).contains(token.utf8.count) ? token : nil
    }
}
