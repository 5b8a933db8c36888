// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import Dispatch
internal import Kernel
internal import NIOCore
internal import NIOHTTP1

/// The token of one OAuth client, asked for again when it is about to end or was refused.
actor TokenSource {
    private struct Token {
        /// As a request has it.
        let authorization: String
        let asked: ContinuousClock.Instant
        /// Never, where the server does not say.
        let end: ContinuousClock.Instant?

        var isGood: Bool { end.map { $0 > .now + TokenSource.margin } ?? true }
    }

    private let owner: OAuthClient
    private let client: HTTPClient
    private var token: Token?
    /// How the server knew its client last.
    private var naming = OAuthClient.Naming.header
    /// Those who want a token while one is asked for; `nil` while none is.
    private var waiting: [CheckedContinuation<String, any Error>]?

    /// What a token has left when another is asked for.
    private static let margin = Duration.seconds(10)
    /// A target that refuses any token must not make its job ask for one at every scrape.
    private static let ageMin = Duration.seconds(5)
    private static let bytesMax = 64 << 10

    init(_ owner: OAuthClient) {
        self.owner = owner
        client = HTTPClient.forScraping(owner.tls, followsRedirects: false)
    }

    deinit { client.shutdown(queue: .global()) { _ in } }

    /// `Authorization` of a scrape. All who want it meanwhile have the answer of one request.
    ///
    /// - Throws: `Failure` that says why there is no token.
    func authorization(until end: ContinuousClock.Instant) async throws -> String {
        if let token, token.isGood { return token.authorization }
        if waiting != nil {
            return try await withCheckedThrowingContinuation { waiting?.append($0) }
        }
        waiting = []
        let outcome: Result<String, any Error>
        do { outcome = .success(try await ask(until: end)) } catch { outcome = .failure(error) }
        for other in waiting ?? [] { other.resume(with: outcome) }
        waiting = nil
        return try outcome.get()
    }

    /// For one that a target did not take.
    func forget(_ refused: String) {
        guard let token, token.authorization == refused, token.asked + Self.ageMin < .now else { return }
        self.token = nil
    }

    private func ask(until end: ContinuousClock.Instant) async throws -> String {
        let (status, answer) = try await ask(naming, until: end)
        if let authorization = take(status, answer) { return authorization }
        let other: OAuthClient.Naming = naming == .header ? .form : .header
        let (otherStatus, otherAnswer) = try await ask(other, until: end)
        if let authorization = take(otherStatus, otherAnswer) {
            naming = other
            return authorization
        }
        let error = answer?["error"]?.string.map { ": \($0.prefix(100))" } ?? ""
        throw Failure(.unavailable, "the token's server returned HTTP status \(status)\(error)")
    }

    private func ask(
        _ naming: OAuthClient.Naming, until end: ContinuousClock.Instant
    ) async throws -> (HTTPResponseStatus, JSON?) {
        var request = HTTPClientRequest(url: owner.tokenURL)
        request.method = .POST
        if naming == .header { request.headers.add(name: "Authorization", value: try owner.authorization()) }
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Vitrine")
        request.body = .bytes(ByteBuffer(string: try owner.form(naming)))
        let response = try await client.execute(request, timeout: .until(end))
        var body: [UInt8] = []
        for try await part in response.body {
            guard ContinuousClock.now < end, body.count + part.readableBytes <= Self.bytesMax else {
                throw Failure(.timedOut, "the token's server takes longer than scrape_timeout, or says too much")
            }
            body += part.readableBytesView
        }
        return (response.status, try? JSON.parse(body))
    }

    /// - Returns: `nil` where there is no token in the answer.
    private func take(_ status: HTTPResponseStatus, _ answer: JSON?) -> String? {
        guard status == .ok, let value = answer?["access_token"]?.string, !value.isEmpty, HeaderText.isValid(value)
        else { return nil }
        let type = answer?["token_type"]?.string ?? "Bearer"
        // Some servers write it small, and numbers as texts.
        let isBearer = type.lowercased() == "bearer" || !HeaderText.isValid(type)
        let seconds = answer?["expires_in"].flatMap { $0.integer ?? $0.string.flatMap { Int64($0) } } ?? 0
        let authorization = "\(isBearer ? "Bearer" : type) \(value)"
        token = Token(
            authorization: authorization, asked: .now,
            end: seconds > 0 ? .now + .seconds(min(seconds, Self.secondsMax)) : nil)
        return authorization
    }

    /// A year: what a server says beyond it is no time.
    private static let secondsMax: Int64 = 31_536_000
}
