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

    /// Signs `payload` with the algorithm of the key (RFC 7518 sections 3.3 and 3.4).
    static func sign(_ payload: JSON, type: String, with key: SigningKey) throws -> String {
        let header: JSON = ["alg": .string(key.algorithm.rawValue), "typ": .string(type), "kid": .string(key.id)]
        let text = Base64URL.encode(Array(header.text.utf8)) + "." + Base64URL.encode(Array(payload.text.utf8))
        return text + "." + Base64URL.encode(try key.signature(of: Array(text.utf8)))
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

    init(_ key: SigningKey) throws {
        let members: [JSON.Member]
        switch key.material {
        case .p256(let key):
            let point = Array(key.publicKey.rawRepresentation)
            members = [
                .init("kty", "EC"), .init("crv", "P-256"), .init("x", Self.text(point.prefix(32))),
                .init("y", Self.text(point.suffix(32))),
            ]
            material = .p256(key.publicKey)
        case .rsa(let key):
            let numbers = try key.publicKey.getKeyPrimitives()
            members = [
                .init("kty", "RSA"), .init("n", Self.text(numbers.modulus)),
                .init("e", Self.text(numbers.publicExponent)),
            ]
            material = .rsa(key.publicKey)
        }
        algorithm = key.algorithm.rawValue
        json = .object(
            members + [.init("kid", .string(key.id)), .init("use", "sig"), .init("alg", .string(algorithm))])
    }

    private static func text(_ bytes: some Sequence<UInt8>) -> JSON { .string(Base64URL.encode(Array(bytes))) }

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

/// How we sign (RFC 7518 section 3.1).
enum SigningAlgorithm: String, Sendable, CaseIterable {
    /// Access tokens, and identity tokens where an app does not ask for the other.
    case es256 = "ES256"
    /// What OpenID Connect has every server know (Discovery 1.0 section 3).
    case rs256 = "RS256"
}

/// A key by which we sign. It is published before its first use, and stays so until the last token that it signed has ended.
struct SigningKey: Sendable {
    enum Material: Sendable {
        case p256(P256.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    let id: String
    let material: Material
    /// From when on it signs.
    let activeAt: Timestamp
    /// When nothing it signed is good any more; nothing as long as it signs.
    let endsAt: Timestamp?

    var algorithm: SigningAlgorithm {
        switch material {
        case .p256: .es256
        case .rsa: .rs256
        }
    }

    /// A new one; of RSA with 2,048 bits, which takes a tenth of a second or so.
    static func make(_ algorithm: SigningAlgorithm, activeAt: Timestamp) throws -> SigningKey {
        let material: Material =
            switch algorithm {
            case .es256: .p256(P256.Signing.PrivateKey())
            case .rs256: .rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048))
            }
        return SigningKey(id: RandomText.make(bytes: 9), material: material, activeAt: activeAt, endsAt: nil)
    }

    func signature(of bytes: [UInt8]) throws -> [UInt8] {
        switch material {
        case .p256(let key): Array(try key.signature(for: bytes).rawRepresentation)
        case .rsa(let key):
            Array(try key.signature(for: SHA256.hash(data: bytes), padding: .insecurePKCS1v1_5).rawRepresentation)
        }
    }
}

extension SigningKey.Material {
    /// As the database keeps it.
    var bytes: [UInt8] {
        switch self {
        case .p256(let key): Array(key.rawRepresentation)
        case .rsa(let key): Array(key.derRepresentation)
        }
    }

    init(_ algorithm: SigningAlgorithm, _ bytes: [UInt8]) throws {
        self =
            switch algorithm {
            case .es256: .p256(try P256.Signing.PrivateKey(rawRepresentation: bytes))
            case .rs256: .rsa(try _RSA.Signing.PrivateKey(derRepresentation: bytes))
            }
    }
}
