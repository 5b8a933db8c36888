// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Tells who holds an access token.
struct TokenAuthenticator: Sendable {
    let tokens: AccessTokens
    let directory: AppDirectory
    let proofs: KeyProofs

    /// - Throws: ``Problem`` where a proof is missing or wrong (RFC 9449 section 7).
    func principal(holding credential: Credential) async throws -> Principal? {
        let token: AccessToken
        switch try await tokens.find(credential.token) {
        case .good(let found): token = found
        case .unknown: return nil
        case .ended: throw Problem.challenge("This token is over; get another one.", error: "invalid_token")
        }
        guard let app = try await directory.find(token.app)?.app else { return nil }
        try prove(token, credential)
        return Principal(
            id: token.user.map { "\(app.id.rawValue):\($0.rawValue)" } ?? app.id.rawValue, name: app.name,
            scopes: token.scopes.scopes, tier: app.tier, user: token.user?.rawValue, customer: token.customer,
            claims: token.scopes.claims,
            isBound: token.boundTo != nil, apiVersion: app.apiVersion,
            memory: min(.milliseconds(500), tokens.clock.now().duration(to: token.expiresAt)))
    }

    private func prove(_ token: AccessToken, _ credential: Credential) throws {
        guard let boundTo = token.boundTo else {
            // Otherwise a stolen token could pass for a proven one (section 7.1).
            guard credential.kind == .bearer else {
                throw Problem.challenge("This token is bound to no key; send it as Bearer.", error: "invalid_token")
            }
            return
        }
        guard credential.kind == .dpop else {
            throw Problem.challenge(
                "This token is bound to a key; send it as DPoP, with a proof.", scheme: "DPoP", error: "invalid_token")
        }
        do throws(KeyProofs.Fault) {
            let thumbprint = try proofs.thumbprint(
                credential.proofs, method: credential.method, path: credential.path, token: credential.token)
            guard thumbprint == boundTo else { throw .invalid("The proof is by another key.") }
        } catch {
            throw challenge(error)
        }
    }

    private func challenge(_ fault: KeyProofs.Fault) -> Problem {
        switch fault {
        case .invalid(let detail):
            Problem.challenge(detail, scheme: "DPoP", error: "invalid_dpop_proof")
        case .needsNonce:
            Problem.challenge("Put the nonce of DPoP-Nonce into the proof.", scheme: "DPoP", error: "use_dpop_nonce")
                .with(header: "DPoP-Nonce", proofs.nonce)
        }
    }
}
