// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Persistence
internal import Web

/// Finds out which app calls, by the one method that it uses (OAuth 2.1 section 2.4).
struct AuthenticateClient: Sendable {
    let directory: AppDirectory
    let keeper: SecretKeeper
    let database: Database
    let clock: WallClock
    let issuer: String

    /// What a request shows of the app that sends it.
    enum Proof {
        case secret(AppID, String)
        case assertion(JWS)
        case nothing(AppID)
    }

    private static let assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    /// An assertion is made for one request.
    static let assertionLifetimeMax = Duration.seconds(300)

    /// Whether the app that is named has been here within the last second.
    func isAtHand(_ proof: Proof) -> Bool {
        switch proof {
        case .secret(let id, _), .nothing(let id): directory.isAtHand(id)
        case .assertion(let token): token.payload["sub"]?.string.flatMap { AppID($0) }.map(directory.isAtHand) ?? false
        }
    }

    /// - Throws: ``OAuthError`` with `invalidClient` or `invalidRequest`.
    func proof(_ exchange: Exchange, _ form: Form) throws -> Proof {
        let id = form["client_id"]
        let header = exchange.header("Authorization")
        let methods = [header, form["client_secret"], form["client_assertion"]].compactMap(\.self)
        guard methods.count <= 1 else {
            throw OAuthError(.invalidRequest, "The client proves who it is in more than one way.")
        }
        if let header {
            guard let (name, secret) = Self.basic(header) else { throw OAuthError.unknownClient }
            guard id == nil || id == name else {
                throw OAuthError(.invalidRequest, "client_id names another client than Authorization.")
            }
            guard let app = AppID(name) else { throw OAuthError.unknownClient }
            return .secret(app, secret)
        }
        if let assertion = form["client_assertion"] {
            guard form["client_assertion_type"] == Self.assertionType, let token = JWS(assertion) else {
                throw OAuthError(
                    .invalidClient, "client_assertion is no signed token of the type \(Self.assertionType).")
            }
            return .assertion(token)
        }
        guard let id else {
            throw OAuthError(.invalidClient, "Send client_id and client_secret, or Authorization: Basic.")
        }
        guard let app = AppID(id) else { throw OAuthError.unknownClient }
        return form["client_secret"].map { .secret(app, $0) } ?? .nothing(app)
    }

    /// - Throws: ``OAuthError`` with `invalidClient`.
    func callAsFunction(_ proof: Proof) async throws -> App {
        switch proof {
        case .secret(let id, let secret):
            guard let known = try await directory.find(id), known.app.hasSecret else { throw OAuthError.unknownClient }
            let (hash, now) = (keeper.hash(secret), clock.now())
            guard known.secrets.contains(where: { $0.isValid(at: now) && $0.hash.isSame(as: hash) }) else {
                throw OAuthError.unknownClient
            }
            return known.app
        case .assertion(let token): return try await app(assertedBy: token)
        case .nothing(let id):
            guard let known = try await directory.find(id), known.app.confidentiality == .public else {
                throw OAuthError.unknownClient
            }
            return known.app
        }
    }

    /// RFC 7523 section 3; `aud` is the issuer alone, so that an assertion for another server is none for us.
    private func app(assertedBy token: JWS) async throws -> App {
        let now = clock.now()
        guard let id = token.payload["sub"]?.string, token.payload["iss"]?.string == id, let name = AppID(id),
            let known = try await directory.find(name)
        else { throw OAuthError.unknownClient }
        let keys = known.app.keys.filter { key in token.header["kid"]?.string.map { $0 == key.id } ?? true }
        guard keys.contains(where: token.isSigned), Self.audience(token.payload["aud"]) == issuer,
            let end = token.payload["exp"]?.integer.flatMap({ Timestamp(seconds: $0) }), now < end,
            end <= now.advanced(by: Self.assertionLifetimeMax), Self.isBegun(token.payload["nbf"], at: now),
            let number = token.payload["jti"]?.string, number.utf8.count <= 200
        else { throw OAuthError.unknownClient }
        let hash = keeper.hash("\(id) \(number)")
        // By the database, because whoever copies one may show it to another process, or after a restart.
        guard try await database.write({ try AssertionStore.isFirst(hash, until: end, in: $0) }) else {
            throw OAuthError.unknownClient
        }
        return known.app
    }

    /// RFC 7519 section 4.1.5, with some seconds for clocks that differ.
    private static func isBegun(_ start: JSON?, at now: Timestamp) -> Bool {
        guard let start else { return true }
        return start.integer.flatMap { Timestamp(seconds: $0) }.map { $0 <= now.advanced(by: .seconds(30)) } ?? false
    }

    private static func audience(_ json: JSON?) -> String? {
        if let array = json?.array { return array.count == 1 ? array[0].string : nil }
        return json?.string
    }

    /// RFC 6749 section 2.3.1: name and secret as a form writes them, then as HTTP's scheme does.
    private static func basic(_ header: String) -> (name: String, secret: String)? {
        guard let space = header.firstIndex(of: " "), header[..<space].lowercased() == "basic",
            let bytes = Data(base64Encoded: String(header[header.index(after: space)...])),
            let text = String(bytes: bytes, encoding: .utf8), let colon = text.firstIndex(of: ":"),
            let name = PercentEncoding.decode(text[..<colon]),
            let secret = PercentEncoding.decode(text[text.index(after: colon)...])
        else { return nil }
        return (name, secret)
    }
}
