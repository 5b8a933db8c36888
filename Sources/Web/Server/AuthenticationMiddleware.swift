// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Kernel

/// Finds out who asks. Whoever has no key may be nobody; a key that is none is refused here, and counted.
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
            return try await next(request, context)
        }
        guard let principal = try await authenticate(token) else {
            try await limits.noteFailedSignIn(from: limits.address(of: request, context))
            throw Problem.challenge("This API key is unknown, revoked or expired.", error: "invalid_token")
        }
        var context = context
        context.principal = principal
        return try await next(request, context)
    }

    private static func bearerToken(_ header: String?) -> String? {
        guard let header, let space = header.firstIndex(of: " "), header[..<space].lowercased() == "bearer" else {
            return nil
        }
        let token = header[space...].trimmingSpace
        return (1...512).contains(token.utf8.count) ? token : nil
    }
}

/// Refuses who may not, before anything is looked up on their behalf. Stands behind the limits, under which those who are
/// refused are counted, too.
package struct AccessMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let access: Access

    package init(_ access: Access) { self.access = access }

    package func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        try access.require(of: context.principal)
        return try await next(request, context)
    }
}

extension Access {
    /// - Throws: ``Problem`` 401 for nobody, 403 for whoever has not the scope.
    func require(of principal: Principal?) throws {
        if case .open = self { return }
        guard let principal else {
            throw Problem.challenge("This operation needs an API key. Send Authorization: Bearer <key>.")
        }
        if case .scope(let scope) = self, !principal.scopes.contains(scope) {
            throw Problem(.insufficientScope, "This operation needs the scope \(scope.rawValue).")
                .with("scope", .string(scope.rawValue))
                .with(
                    header: "WWW-Authenticate",
                    "Bearer realm=\"vitrine\", error=\"insufficient_scope\", scope=\"\(scope.rawValue)\"")
        }
    }
}

extension Problem {
    /// The challenge of RFC 6750 section 3.
    fileprivate static func challenge(_ detail: String, error: String? = nil) -> Problem {
        let parameter = error.map { ", error=\"\($0)\"" } ?? ""
        return Problem(.unauthenticated, detail)
            .with(header: "WWW-Authenticate", "Bearer realm=\"vitrine\"\(parameter)")
    }
}
