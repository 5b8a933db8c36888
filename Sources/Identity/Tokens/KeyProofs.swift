// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel
internal import Web

/// Checks that whoever sends a request has the key that his tokens are bound to (DPoP, RFC 9449).
struct KeyProofs: Sendable {
    let keeper: SecretKeeper
    let seen: SeenProofs
    let clock: WallClock
    let issuer: String

    enum Fault: Error, Equatable {
        case invalid(String)
        /// What is to be put into the next proof (section 8).
        case needsNonce
    }

    /// How far a clock may be off.
    private static let skew = Duration.seconds(60)
    /// How long a proof can be shown: from before it was made, by its clock, until after.
    static let lifetime = Duration.seconds(121)
    /// How long a nonce is given out; it is taken for as long again.
    private static let noncePeriod: Int64 = 150

    /// The thumbprint of the key that has made the one proof, where it is for this request and, at a resource, for `token`.
    func thumbprint(
        _ proofs: [String], method: String, path: String, token: String? = nil
    ) throws(Fault) -> String {
        guard proofs.count == 1, let proof = JWS(proofs[0]) else { throw .invalid("Send one proof in DPoP.") }
        guard proof.header["typ"]?.string == "dpop+jwt", let key = proof.header["jwk"].flatMap(JWK.init),
            proof.isSigned(by: key)
        else { throw .invalid("The proof is not signed by the public key in its head, with ES256 or RS256.") }
        guard proof.payload["htm"]?.string == method,
            proof.payload["htu"]?.string.map(Self.withoutQuery) == issuer + path
        else { throw .invalid("The proof is for another request than \(method) \(issuer)\(path).") }
        let now = clock.now()
        guard let issuedAt = proof.payload["iat"]?.integer.flatMap({ Timestamp(seconds: $0) }),
            issuedAt.advanced(by: .zero - Self.skew) <= now, now <= issuedAt.advanced(by: Self.skew)
        else { throw .invalid("The proof was not made within the last minute.") }
        if let token {
            let hash = Base64URL.encode(Array(SHA256.hash(data: Array(token.utf8))))
            guard proof.payload["ath"]?.string == hash else { throw .invalid("The proof is for another token.") }
        }
        guard let nonce = proof.payload["nonce"]?.string, isCurrent(nonce, at: now) else { throw .needsNonce }
        guard let number = proof.payload["jti"]?.string, (1...200).contains(number.utf8.count),
            seen.isFirst("\(key.thumbprint) \(number)", at: now)
        else { throw .invalid("The proof was used before.") }
        return key.thumbprint
    }

    /// The nonce of this time, the same in every process.
    var nonce: String { nonce(of: clock.now().seconds / Self.noncePeriod) }

    private func nonce(of period: Int64) -> String {
        RandomText.text(keeper.tag("dpop nonce", String(period)).prefix(16))
    }

    private func isCurrent(_ text: String, at now: Timestamp) -> Bool {
        let period = now.seconds / Self.noncePeriod
        return [period, period - 1].contains { nonce(of: $0).isSame(as: text) }
    }

    private static func withoutQuery(_ address: String) -> String { String(address.prefix { $0 != "?" && $0 != "#" }) }
}
