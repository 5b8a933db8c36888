// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore
import Vitrine

/// A real Prometheus server in a folder and on a port of its own.
package final class TestPrometheus: Sendable {
    package let port: Int
    private let server: GuardedServer

    private static let program = "/usr/bin/prometheus"

    /// Whether this machine has a server to start; CI always has.
    package static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    /// `openMetrics` has samples with their times that it has from the beginning; `scrape` stands under `scrape_configs`.
    package init(openMetrics: String = "# EOF\n", scrape: String = "[]", port: Int = FreePort.find()) throws {
        guard Self.isInstalled else {
            throw Failure(.misconfigured, "Prometheus is not installed: apt-get install prometheus")
        }
        self.port = port
        let directory = try TestDirectory()
        try openMetrics.write(toFile: directory.path + "/samples.txt", atomically: true, encoding: .utf8)
        try "scrape_configs: \(scrape)\n".write(
            toFile: directory.path + "/prometheus.yml", atomically: true, encoding: .utf8)
        server = try GuardedServer(
            in: directory,
            """
            mkdir -p data
            [ "$(wc -l <samples.txt)" -le 1 ] || \
            promtool tsdb create-blocks-from openmetrics samples.txt data >/dev/null 2>>server.log
            \(Self.program) --config.file=prometheus.yml --storage.tsdb.path=data --storage.tsdb.retention.time=100y \
            --enable-feature=remote-write-receiver --web.enable-remote-write-receiver \
            --web.listen-address=127.0.0.1:\(port) >>server.log 2>&1 & server=$!
            stop() { kill -9 $server; wait $server || true; }
            """)
        try server.wait { GuardedServer.isListening(on: port) }
    }

    /// Asks its API, such as `/api/v1/query`, once it answers at all.
    package func get(_ path: String, _ parameters: [(String, String)] = []) async throws -> JSON {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        // Plain, because the client takes what compresses well for an attack.
        request.headers.add(name: "Accept-Encoding", value: "identity")
        request.method = parameters.isEmpty ? .GET : .POST
        if !parameters.isEmpty {
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            let form = parameters.map { "\($0.0)=\(Self.escaped($0.1))" }.joined(separator: "&")
            request.body = .bytes(ByteBuffer(string: form))
        }
        for _ in 0..<200 {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let body = try await response.body.collect(upTo: 64 << 20)
            if response.status != .serviceUnavailable { return try JSON.parse(Array(body.readableBytesView)) }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure(.unavailable, "Prometheus does not get ready.")
    }

    /// Sends a remote write, snappy and all.
    package func write(_ message: [UInt8]) async throws -> Int {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/v1/write")
        request.method = .POST
        request.headers.add(name: "Content-Encoding", value: "snappy")
        request.body = .bytes(ByteBuffer(bytes: message))
        return Int(try await HTTPClient.shared.execute(request, timeout: .seconds(30)).status.code)
    }

    package func stop() { server.stop() }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}

extension TestPrometheus {
    /// For those whose jobs name the port before the server runs.
    package static func freePort() -> Int { FreePort.find() }
}
