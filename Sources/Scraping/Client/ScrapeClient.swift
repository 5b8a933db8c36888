// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import Foundation
internal import Kernel
internal import NIOCore
internal import NIOHTTP1

/// Asks targets what they show.
final class ScrapeClient: Sendable {
    private let client: HTTPClient

    /// What is preferred, as Prometheus asks.
    private static let accepted =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

    init() {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.timeout.read = .seconds(10)
        // What is scraped makes no spans here.
        configuration.tracing.tracer = nil
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    // The client insists on being shut down, also where nothing ever ran.
    deinit { client.shutdown(queue: .global()) { _ in } }

    /// - Throws: `Failure` that says why there is nothing to read.
    func get(_ url: String, of job: ScrapeJob) async throws -> Exposition {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Accept", value: Self.accepted)
        request.headers.add(name: "Accept-Encoding", value: "gzip")
        request.headers.add(name: "User-Agent", value: "Vitrine")
        let seconds = Double(job.timeout.wholeMilliseconds) / 1_000
        request.headers.add(name: "X-Prometheus-Scrape-Timeout-Seconds", value: "\(seconds)")
        if let authorization = job.authorization { request.headers.add(name: "Authorization", value: authorization) }
        let end = ContinuousClock.now + job.timeout
        let response = try await client.execute(request, timeout: .nanoseconds(job.timeout.wholeNanoseconds))
        guard response.status == .ok else {
            throw Failure(.unavailable, "server returned HTTP status \(response.status)")
        }
        var body: [UInt8] = []
        for try await part in response.body {
            guard ContinuousClock.now < end else {
                throw Failure(.timedOut, "the answer takes longer than scrape_timeout")
            }
            guard body.count + part.readableBytes <= job.limits.bodyBytes else { throw tooLarge(job) }
            body += part.readableBytesView
        }
        if response.headers.first(name: "Content-Encoding")?.lowercased() == "gzip" {
            do throws(Gzip.Failure) { body = try Gzip.decompress(body, bytesMax: job.limits.bodyBytes) } catch {
                switch error {
                case .tooLarge: throw tooLarge(job)
                case .notGzip: throw Failure(.corrupt, "the answer is not gzip, as its headers say")
                }
            }
        }
        let type = response.headers.first(name: "Content-Type") ?? ""
        return try Exposition(body, isOpenMetrics: type.hasPrefix("application/openmetrics-text"))
    }

    private func tooLarge(_ job: ScrapeJob) -> Failure {
        Failure(.overloaded, "the answer has more than \(job.limits.bodyBytes) bytes")
    }
}
