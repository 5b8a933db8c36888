// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import CryptoExtras
internal import Foundation
internal import Kernel
internal import Web

/// A signed token in its compact form (RFC 7515 section 7.1), taken apart and not yet believed.
struct JWS: Sendable {
    let header: JSON
    let payload: JSON
    private let signed: [UInt8]
    private let signature: [UInt8]

    /// A token of ours has some 700 bytes, a foreign one with a key in its head some thousand.
    private static let bytesMax = 8_192

    /// - Returns: `nil` where the text is no such token.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, text.utf8.count <= Self.bytesMax,
            let header = Self.json(parts[0]), let payload = Self.json(parts[1]),
            header.members != nil, payload.members != nil,
            let signature = Base64URL.decode(String(parts[2]))
        else { return nil }
        // What we do not understand and must, we refuse (section 4.1.11).
        guard header["crit"] == nil, header["b64"] == nil else { return nil }
        (self.header, self.payload, self.signature) = (header, payload, signature)
        signed = Array((parts[0] + "." + parts[1]).utf8)
    }

    private static func json(_ part: Substring) -> JSON? {
        Base64URL.decode(String(part)).flatMap { try? JSON.parse($0) }
    }

    /// Whether `key` has signed it with the algorithm that the head names. A key has one algorithm, so that none can be
    /// talked into another (RFC 8725 section 3.1); `none` is the algorithm of no key.
    func isSigned(by key: JWK) -> Bool {
        guard header["alg"]?.string == key.algorithm else { return false }
        return key.verifies(signature, of: signed)
    }

    /// Signs `payload` with ES256 (RFC 7518 section 3.4).
    static func sign(_ payload: JSON, type: String, with key: SigningKey) throws -> String {
        let header: JSON = ["alg": "ES256", "typ": .string(type), "kid": .string(key.id)]
        let text = Base64URL.encode(Array(header.text.utf8)) + "." + Base64URL.encode(Array(payload.text.utf8))
        let signature = try key.privateKey.signature(for: Array(text.utf8))
        return text + "." + Base64URL.encode(Array(signature.rawRepresentation))
    }
}

/// The public half of a key, as others write it (RFC 7517): P-256 for ES256, or RSA of 2,048 bits and more for RS256.
struct JWK: Sendable, Equatable {
    private enum Material: Sendable {
        case p256(P256.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
    }

    let json: JSON
    let algorithm: String
    private let material: Material

    static func == (a: JWK, b: JWK) -> Bool { a.json == b.json }

    var id: String? { json["kid"]?.string }

    /// - Returns: `nil` for a kind of key that is not taken, for a weak one, and for one with its private half.
    init?(_ json: JSON) {
        guard json["d"] == nil, json["k"] == nil, json["use"]?.string ?? "sig" == "sig" else { return nil }
        switch json["kty"]?.string {
        case "EC":
            guard json["crv"]?.string == "P-256", let x = Self.bytes(json, "x"), let y = Self.bytes(json, "y"),
                x.count == 32, y.count == 32,
                let key = try? P256.Signing.PublicKey(rawRepresentation: x + y)
            else { return nil }
            (material, algorithm) = (.p256(key), "ES256")
        case "RSA":
            guard let n = Self.bytes(json, "n"), let e = Self.bytes(json, "e"),
                let key = try? _RSA.Signing.PublicKey(n: n, e: e), key.keySizeInBits >= 2_048
            else { return nil }
            (material, algorithm) = (.rsa(key), "RS256")
        default: return nil
        }
        guard json["alg"]?.string ?? algorithm == algorithm else { return nil }
        self.json = json
    }

    init(_ key: SigningKey) {
        let point = Array(key.privateKey.publicKey.rawRepresentation)
        json = [
            "kty": "EC", "crv": "P-256", "x": .string(Base64URL.encode(Array(point.prefix(32)))),
            "y": .string(Base64URL.encode(Array(point.suffix(32)))), "kid": .string(key.id), "use": "sig",
            "alg": "ES256",
        ]
        material = .p256(key.privateKey.publicKey)
        algorithm = "ES256"
    }

    fileprivate func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
        switch material {
        case .p256(let key):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: bytes)
        case .rsa(let key):
            return key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: SHA256.hash(data: bytes),
                padding: .insecurePKCS1v1_5)
        }
    }

    /// The key's name that anybody can work out (RFC 7638).
    var thumbprint: String {
        let names = algorithm == "ES256" ? ["crv", "kty", "x", "y"] : ["e", "kty", "n"]
        let members = names.map { JSON.Member($0, json[$0] ?? .null) }
        return Base64URL.encode(Array(SHA256.hash(data: Array(JSON.object(members).text.utf8))))
    }

    private static func bytes(_ json: JSON, _ name: String) -> [UInt8]? {
        json[name]?.string.flatMap(Base64URL.decode)
    }
}

/// A key by which we sign. It is published before its first use, and stays so until the last token that it signed has ended.
struct SigningKey: Sendable {
    let id: String
    let privateKey: P256.Signing.PrivateKey
    /// From when on it signs.
    let activeAt: Timestamp
    /// When nothing it signed is good any more; nothing as long as it signs.
    let endsAt: Timestamp?
}
