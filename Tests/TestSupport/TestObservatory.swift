// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Console
import Foundation
import Kernel
import NIOCore
import OTLP
import ObservatoryAPI
import PromQL
package import Telemetry
import TelemetryStore

/// An observatory on a real port, in a folder of its own.
package struct TestObservatory: Sendable {
    package struct Answer: Sendable {
        package let status: Int
        package let headers: [String: String]
        package let body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }
        package var json: JSON { (try? JSON.parse(body)) ?? .null }
        package var data: JSON { json["data"] ?? .null }
    }

    package let store: SignalStore
    package let intake: Intake
    package let port: Int
    package var token: String?

    /// Runs `body` against it. Its clock stands at `now`, in milliseconds since 1970, where that is given.
    package static func run<Result: Sendable>(
        _ semantics: Semantics = .v3, access: ObservatoryAccess = ObservatoryAccess(), now: Int64? = nil,
        settings: SignalStore.Settings = .init(),
        _ body: @escaping @Sendable (TestObservatory) async throws -> Result
    ) async throws -> Result {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let clock: @Sendable () -> Int64 = { now ?? Int64(Date().timeIntervalSince1970 * 1_000) }
        let store = try SignalStore(on: FileDisk(locking: folder.path + "/telemetry"), settings, now: clock)
        var listening = ObservatoryServer.Settings()
        listening.port = 0
        listening.query.semantics = semantics
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = ObservatoryServer(
            listening, store: store, metadata: MetadataTable(), access: access, version: "test", now: clock,
            pages: { router, ask in
                ConsolePages(version: "test") { Double(clock()) / 1_000 }.mount(on: router, asking: ask)
            }, started: { port.yield($0) })
        return try await withThrowingTaskGroup(of: Result?.self) { tasks in
            tasks.addTask {
                try await server.run()
                return nil
            }
            tasks.addTask {
                for await number in ports {
                    return try await body(TestObservatory(store: store, intake: server.intake, port: number))
                }
                return nil
            }
            defer { tasks.cancelAll() }
            guard let first = try await tasks.next(), let result = first else {
                throw Failure(.unavailable, "The observatory stopped.")
            }
            return result
        }
    }

    package func get(
        _ path: String, _ parameters: [(String, String)] = [], post: Bool = false, host: String? = nil,
        headers: [(String, String)] = []
    ) async throws -> Answer {
        let query = parameters.map { "\(Self.escaped($0.0))=\(Self.escaped($0.1))" }.joined(separator: "&")
        var request = HTTPClientRequest(
            url: "http://127.0.0.1:\(port)\(path)\(post || query.isEmpty ? "" : "?" + query)")
        if let host { request.headers.add(name: "Host", value: host) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if post {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: query))
        }
        return try await send(request)
    }

    package func write(_ message: [UInt8], headers: [(String, String)] = [("Content-Encoding", "snappy")]) async throws
        -> Answer
    {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/v1/write")
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: message))
        return try await send(request)
    }

    package func otlp(_ json: String, _ signal: Signal = .metrics) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/\(signal.rawValue)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: json))
        return try await send(request)
    }

    /// As a browser with a cookie does, without following where it is led.
    package func visit(_ path: String, form: String? = nil, cookie: String? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        if let form {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: form))
        }
        if let cookie { request.headers.add(name: "Cookie", value: cookie) }
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        let sent = request
        return try await HTTPClient.withHTTPClient(configuration: configuration) { try await send(sent, by: $0) }
    }

    private func send(_ request: HTTPClientRequest, by client: HTTPClient = .shared) async throws -> Answer {
        var request = request
        if let token { request.headers.add(name: "Authorization", value: token) }
        let response = try await client.execute(request, timeout: .seconds(60))
        let body = try await response.body.collect(upTo: 64 << 20)
        return Answer(
            status: Int(response.status.code),
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first },
            body: Array(body.readableBytesView))
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}
