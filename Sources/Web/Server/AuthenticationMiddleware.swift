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
        if let principal = Acting.principal {
            var context = context
            context.principal = principal
            return try await next(request, context)
        }
        guard let credential = Credential(of: request) else { return try await next(request, context) }
        guard let principal = try await authenticate(credential) else {
            try await limits.noteFailedSignIn(from: limits.address(of: request, context))
            throw Problem.challenge("This key or token is unknown, revoked or expired.", error: "invalid_token")
        }
        var context = context
        context.principal = principal
        context.signals.principal = principal
        return try await next(request, context)
    }
}

/// Whom a room of this process asks the API for, as a client would, once it has found out who they are.
package enum Acting {
    @TaskLocal package static var principal: Principal?
}

extension Credential {
    private static let proofName = HTTPField.Name("DPoP")

    /// - Returns: `nil` where a request shows none. What stands in the query is none (RFC 9700 section 4.3.2).
    fileprivate init?(of request: Request) {
        guard let header = request.headers[.authorization], let space = header.firstIndex(of: " "),
            let kind = Kind(rawValue: header[..<space].lowercased())
        else { return nil }
        let token = header[space...].trimmingSpace
        guard (1...4_096).contains(token.utf8.count) else { return nil }
        self.init(
            token: token, kind: kind, proofs: Self.proofName.map { request.headers[values: $0] } ?? [],
            method: request.method.rawValue, path: request.uri.path)
    }
}

/// Refuses who may not, before anything is looked up on their behalf. Stands behind the limits, under which those who are
/// refused are counted, too.
package struct AccessMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let access: Access
    private let customers: CustomerAccess
    private let isForPartners: Bool

    package init(_ endpoint: Endpoint) {
        (access, customers, isForPartners) = (endpoint.access, endpoint.customers, endpoint.isForPartners)
    }

    package func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        try access.require(of: context.principal)
        if context.principal?.customer != nil, customers == .none {
            throw Problem(.notForCustomers, "This operation is for those who work in the shop.")
        }
        if context.principal?.partner != nil, !isForPartners {
            throw Problem(.notForPartners, "This operation is for those who work in the shop.")
        }
        return try await next(request, context)
    }
}

extension Access {
    /// - Throws: ``Problem`` 401 for nobody, 403 for whoever has not the scope.
    func require(of principal: Principal?) throws {
        if case .open = self { return }
        guard let principal else {
            throw Problem.challenge("This operation needs an API key or a token. Send Authorization: Bearer <it>.")
        }
        if case .scope(let scope) = self, !principal.scopes.contains(scope) {
            throw Problem.missing(scope.rawValue, of: principal)
        }
    }
}

extension Problem {
    /// A refusal that names the scope that is missing, in the problem and in the challenge (RFC 6750 section 3.1).
    package static func missing(_ scope: String, of principal: Principal?) -> Problem {
        Problem(.insufficientScope, "This request needs the scope \(scope).")
            .with("scope", .string(scope))
            .with(
                header: "WWW-Authenticate",
                "\(principal?.isBound == true ? "DPoP" : "Bearer") realm=\"vitrine\", error=\"insufficient_scope\", "
                    + "scope=\"\(scope)\"")
    }

    /// The challenge of RFC 6750 section 3.
    package static func challenge(_ detail: String, scheme: String = "Bearer", error: String? = nil) -> Problem {
        let parameter = error.map { ", error=\"\($0)\"" } ?? ""
        return Problem(.unauthenticated, detail)
            .with(header: "WWW-Authenticate", "\(scheme) realm=\"vitrine\"\(parameter)")
    }
}
