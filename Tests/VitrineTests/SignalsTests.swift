// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import NIOHTTP1
import Telemetry
import TestSupport
import Testing

@testable import Vitrine

/// What the real program tells about itself, read by those who will read it.
@Suite(.serialized) struct SignalsTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private func withShop(_ test: (ShopClient, ShopAddress, String, String) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (process, address, key) = try await VitrineProcess.serve(
            directory.path + "/data", environment: ["OTEL_TRACES_EXPORTER": "console"])
        let client = ShopClient(address, key: key)
        for _ in 0..<3 {
            _ = try await client.send(.GET, "/v1/products")
            _ = try await client.send(.GET, "/v1/products/prod_00000000000000000000000000")
            _ = try await client.send(.GET, "/nowhere")
        }
        try await test(client, address, key, directory.path)
        await client.close()
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }

    /// Runs a program with `input` and gives its status and all it wrote.
    private func run(_ program: String, _ arguments: [String], input: String = "") throws -> (Int32, String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let (given, written) = (Pipe(), Pipe())
        process.standardInput = given
        process.standardOutput = written
        process.standardError = written
        try process.run()
        given.fileHandleForWriting.write(Data(input.utf8))
        given.fileHandleForWriting.closeFile()
        let text = String(decoding: written.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    private static func isInstalled(_ program: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/\(program)")
    }

    private func metrics(_ client: ShopClient, _ accept: String) async throws -> String {
        let reply = try await client.send(.GET, "/metrics", headers: [("Accept", accept)])
        #expect(reply.status == 200)
        return String(decoding: reply.body, as: UTF8.self)
    }

    @Test func `probes need no key, and whoever reads more does`() async throws {
        try await withShop { client, address, _, _ in
            let stranger = ShopClient(address, key: "")
            for path in ["/health/live", "/health/ready"] {
                let reply = try await stranger.send(.GET, path)
                #expect(reply.status == 200 && reply.json["status"] == "pass")
            }
            for path in ["/health", "/metrics"] { #expect(try await stranger.send(.GET, path).status == 401) }
            await stranger.close()
            let health = try await client.send(.GET, "/health").json
            #expect(health["checks"]?["database"]?.array?.first?["status"] == "pass")
            #expect(health["checks"]?["database"]?.array?.first?["required"] == true)
        }
    }

    @Test(.enabled(if: isInstalled("promtool"), "promtool is not installed: apt-get install prometheus"))
    func `promtool has nothing to say, and every metric is described`() async throws {
        try await withShop { client, _, _, _ in
            let text = try await metrics(client, "text/plain")
            let (status, complaints) = try run("promtool", ["check", "metrics"], input: text)
            #expect(status == 0 && complaints.isEmpty, "\(complaints)")
            #expect(text.contains("http_route=\"/v1/products/{id}\""))
            #expect(text.contains("vitrine_relay_lag_seconds{consumer=\""))
            #expect(text.contains("vitrine_chore_duration_seconds_count{chore=\"orders.recover\",outcome=\"done\"}"))
            let described = Set(Signals.allMetrics.map { $0.prometheusName + ($0.kind == .counter ? "_total" : "") })
            let present = text.matches(of: #/# TYPE (\S+)/#).map { String($0.output.1) }
            #expect(Set(present).isSubset(of: described), "\(Set(present).subtracting(described))")
        }
    }

    @Test(.enabled(if: Python.isInstalled, "make test installs prometheus-client"))
    func `both parsers of prometheus-client read the same`() async throws {
        try await withShop { client, _, _, _ in
            let directory = try TestDirectory()
            defer { directory.remove() }
            for (name, accept) in [("text", "text/plain"), ("open", "application/openmetrics-text")] {
                try Data(try await metrics(client, accept).utf8).write(to: URL(filePath: directory.path + "/" + name))
            }
            let script = """
                import sys
                from prometheus_client.parser import text_string_to_metric_families as text
                from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
                def samples(parse, name):
                    return {(s.name, tuple(sorted((k, float(v) if k == "le" else v) for k, v in s.labels.items()))): s.value
                            for f in parse(open(sys.argv[1] + "/" + name).read()) for s in f.samples}
                a, b = samples(text, "text"), samples(openmetrics, "open")
                route = [v for (n, l), v in a.items() if n.endswith("request_duration_seconds_count")
                         and ("http_route", "/v1/products/{id}") in l]
                assert route == [3.0], route
                assert set(a) <= set(b), sorted(set(a) - set(b))
                print(len(a))
                """
            let (status, output) = try run(Python.program, ["-c", script, directory.path])
            #expect(status == 0, "\(output)")
            #expect((Int(output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) > 50)
        }
    }

    @Test(.enabled(if: isInstalled("prometheus"), "Prometheus is not installed: apt-get install prometheus"))
    func `a real Prometheus scrapes the shop, with exemplars`() async throws {
        try await withShop { client, address, key, directory in
            let port = Int.random(in: 20_000...60_000)
            try """
            global: {scrape_interval: 1s}
            scrape_configs:
            - job_name: shop
              authorization: {credentials: "\(key)"}
              static_configs: [{targets: ["127.0.0.1:\(address.port)"]}]
            """.write(toFile: directory + "/prometheus.yml", atomically: true, encoding: .utf8)
            let prometheus = Process()
            prometheus.executableURL = URL(filePath: "/usr/bin/prometheus")
            prometheus.arguments = [
                "--config.file=\(directory)/prometheus.yml", "--storage.tsdb.path=\(directory)/tsdb",
                "--web.listen-address=127.0.0.1:\(port)", "--enable-feature=exemplar-storage", "--log.level=error",
            ]
            prometheus.standardError = FileHandle.nullDevice
            try prometheus.run()
            defer {
                prometheus.terminate()
                prometheus.waitUntilExit()
            }
            let reader = ShopClient(ShopAddress(host: "127.0.0.1", port: port), key: "")
            func ask(_ path: String) async throws -> JSON {
                for _ in 0..<150 {
                    _ = try? await client.send(.GET, "/v1/products?limit=\(Int.random(in: 1...100))")
                    let reply = try? await reader.send(.GET, path)
                    let data = reply?.json["data"]
                    if let found = data?["result"]?.array ?? data?.array, !found.isEmpty { return .array(found) }
                    try await Task.sleep(for: .milliseconds(200))
                }
                return .null
            }
            let up = try await ask("/api/v1/query?query=up%7Bjob%3D%22shop%22%7D%20%3D%3D%201")
            #expect(up.array?.count == 1)
            let now = Int(Date.now.timeIntervalSince1970)
            let exemplars = try await ask(
                "/api/v1/query_exemplars?query=http_server_request_duration_seconds_bucket&start=\(now - 60)&end=\(now + 120)"
            )
            let trace = exemplars.array?.first?["exemplars"]?.array?.first?["labels"]?["trace_id"]?.string
            #expect(trace?.count == 32)
            await reader.close()
        }
    }

    @Test func `the page of signals is the one that the program prints`() async throws {
        let printed = try await VitrineProcess.run(["signals"])
        let page = try String(contentsOfFile: Self.root + "/docs/TELEMETRY.md", encoding: .utf8)
        #expect(printed.output == page, "make golden writes it anew")
    }
}
