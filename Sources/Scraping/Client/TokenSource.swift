// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import Dispatch
internal import Kernel
internal import NIOCore
internal import NIOHTTP1

/// The token of one OAuth client, asked for again when it is about to end or was refused.
actor TokenSource {
    private let owner: OAuthClient
    private let client: HTTPClient
    /// As `Authorization`, and when it ends; never, where the server does not say.
    private var token: (authorization: String, end: ContinuousClock.Instant?)?

    /// What a token has left when another is asked for.
    private static let margin = Duration.seconds(10)
    private static let timeout = TimeAmount.seconds(10)
    private static let bytesMax = 64 << 10

    init(_ owner: OAuthClient) {
        self.owner = owner
        client = HTTPClient.forScraping(owner.tls, followsRedirects: false)
    }

    deinit { client.shutdown(queue: .global()) { _ in } }

    /// `Authorization` of a scrape.
    ///
    /// - Throws: `Failure` that says why there is no token.
    func authorization() async throws -> String {
        if let token, token.end.map({ $0 > .now + Self.margin }) ?? true { return token.authorization }
        return try await ask()
    }

    /// For one that a target did not take.
    func forget() { token = nil }

    private func ask() async throws -> String {
        var request = HTTPClientRequest(url: owner.tokenURL)
        request.method = .POST
        request.headers.add(name: "Authorization", value: try owner.authorization())
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Vitrine")
        request.body = .bytes(ByteBuffer(string: owner.form))
        let response = try await client.execute(request, timeout: Self.timeout)
        let body = try await response.body.collect(upTo: Self.bytesMax)
        let answer = try? JSON.parse(Array(body.readableBytesView))
        guard response.status == .ok, let value = answer?["access_token"]?.string, !value.isEmpty else {
            let error = answer?["error"]?.string.map { ": \($0)" } ?? ""
            throw Failure(.unavailable, "the token's server returned HTTP status \(response.status)\(error)")
        }
        // Some servers write it small.
        let type = answer?["token_type"]?.string ?? "Bearer"
        let authorization = "\(type.lowercased() == "bearer" ? "Bearer" : type) \(value)"
        let end = answer?["expires_in"]?.integer.map { ContinuousClock.now + .seconds($0) }
        token = (authorization, end)
        return authorization
    }
}
