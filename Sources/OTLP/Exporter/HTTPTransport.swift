// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import Telemetry

/// OTLP over HTTP with protobuf (OTLP specification, OTLP/HTTP).
final class HTTPTransport: Transport {
    private let settings: ExporterSettings
    private let client: HTTPClient

    /// What a collector may answer; more is not read.
    private static let responseBytesMax = 4 << 20

    init(_ settings: ExporterSettings) {
        self.settings = settings
        var configuration = HTTPClient.Configuration(tlsConfiguration: settings.tls)
        configuration.timeout.connect = .seconds(5)
        configuration.redirectConfiguration = .disallow
        // What sends spans makes none of its own.
        configuration.tracing.tracer = nil
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    // The client insists on being shut down, also where nothing ever ran.
    deinit { client.shutdown(queue: .global()) { _ in } }

    func send(_ body: [UInt8], _ signal: Signal, isCompressed: Bool) async -> Delivery {
        var request = HTTPClientRequest(url: settings[signal].url)
        request.method = .POST
        for (name, value) in settings[signal].headers { request.headers.replaceOrAdd(name: name, value: value) }
        request.headers.replaceOrAdd(name: "Content-Type", value: "application/x-protobuf")
        request.headers.replaceOrAdd(name: "User-Agent", value: ExporterSettings.userAgent)
        if isCompressed { request.headers.add(name: "Content-Encoding", value: "gzip") }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            return try await withTimeout(settings.timeout) { [request] in try await self.exchange(request) }
        } catch {
            return .unavailable(after: nil, reason: "\(error)")
        }
    }

    private func exchange(_ request: HTTPClientRequest) async throws -> Delivery {
        let response = try await client.execute(request, timeout: .init(settings.timeout))
        var body: [UInt8] = []
        for try await part in response.body where body.count < Self.responseBytesMax {
            body += part.readableBytesView
        }
        return Self.delivery(response.status.code, response.headers, body)
    }

    /// What the specification says about each status.
    private static func delivery(_ status: UInt, _ headers: HTTPHeaders, _ body: [UInt8]) -> Delivery {
        switch status {
        case 200..<300: return ExportResponse.read(body)
        case 429, 502, 503, 504:
            let advice = headers.first(name: "Retry-After").flatMap { RetryAfter.read($0, now: Date.now) }
            return .unavailable(after: advice, reason: "HTTP \(status) \(RPCStatus.read(body).message)")
        default: return .refused(reason: "HTTP \(status) \(RPCStatus.read(body).message)")
        }
    }

    func close() async { try? await client.shutdown() }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3).
enum RetryAfter {
    static func read(_ text: String, now: Date) -> Duration? {
        if let seconds = Int(text) { return seconds >= 0 ? .seconds(seconds) : nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.date(from: text).map { .seconds(max(0, $0.timeIntervalSince(now).rounded(.up))) }
    }
}
