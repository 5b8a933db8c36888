// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import Foundation
internal import Kernel
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// Asks the targets of one job what they show.
final class ScrapeClient: Sendable {
    private let job: ScrapeJob
    private let client: HTTPClient
    private let tokens: TokenSource?

    /// What is preferred, as Prometheus asks.
    private static let accepted =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

    init(_ job: ScrapeJob) {
        self.job = job
        client = HTTPClient.forScraping(job.tls, followsRedirects: job.followsRedirects)
        if case .oauth(let owner)? = job.authorization { tokens = TokenSource(owner) } else { tokens = nil }
    }

    // The client insists on being shut down, also where nothing ever ran.
    deinit { client.shutdown(queue: .global()) { _ in } }

    /// - Throws: `Failure` that says why there is nothing to read.
    func get(_ url: String) async throws -> Exposition {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Accept", value: Self.accepted)
        request.headers.add(name: "Accept-Encoding", value: "gzip")
        request.headers.add(name: "User-Agent", value: "Vitrine")
        let seconds = Double(job.timeout.wholeMilliseconds) / 1_000
        request.headers.add(name: "X-Prometheus-Scrape-Timeout-Seconds", value: "\(seconds)")
        let end = ContinuousClock.now + job.timeout
        let authorization = try await authorization(until: end)
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        let response = try await client.execute(request, timeout: .until(end))
        if response.status == .unauthorized, let authorization { await tokens?.forget(authorization) }
        guard response.status == .ok else {
            throw Failure(.unavailable, "server returned HTTP status \(response.status)")
        }
        var body: [UInt8] = []
        for try await part in response.body {
            guard ContinuousClock.now < end else {
                throw Failure(.timedOut, "the answer takes longer than scrape_timeout")
            }
            guard body.count + part.readableBytes <= job.limits.bodyBytes else { throw tooLarge() }
            body += part.readableBytesView
        }
        if response.headers.first(name: "Content-Encoding")?.lowercased() == "gzip" {
            do throws(Gzip.Failure) { body = try Gzip.decompress(body, bytesMax: job.limits.bodyBytes) } catch {
                switch error {
                case .tooLarge: throw tooLarge()
                case .notGzip: throw Failure(.corrupt, "the answer is not gzip, as its headers say")
                }
            }
        }
        let type = response.headers.first(name: "Content-Type") ?? ""
        return try Exposition(body, isOpenMetrics: type.hasPrefix("application/openmetrics-text"))
    }

    private func authorization(until end: ContinuousClock.Instant) async throws -> String? {
        switch job.authorization {
        case .basic(let user, let password)?: OAuthClient.basic("\(user):\(try password.value())")
        case .credentials(let type, let secret)?: "\(type) \(try secret.value())"
        case .oauth?: try await tokens?.authorization(until: end)
        case nil: nil
        }
    }

    private func tooLarge() -> Failure {
        Failure(.overloaded, "the answer has more than \(job.limits.bodyBytes) bytes")
    }
}

extension HTTPClient {
    static func forScraping(_ tls: TLSConfiguration?, followsRedirects: Bool) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.timeout.read = .seconds(10)
        configuration.tlsConfiguration = tls ?? .forScraping
        if !followsRedirects { configuration.redirectConfiguration = .disallow }
        // What is scraped makes no spans here.
        configuration.tracing.tracer = nil
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}

extension TimeAmount {
    /// What is left until `end`; a nanosecond where that is over.
    static func until(_ end: ContinuousClock.Instant) -> TimeAmount {
        .nanoseconds(max(1, (end - .now).wholeNanoseconds))
    }
}
