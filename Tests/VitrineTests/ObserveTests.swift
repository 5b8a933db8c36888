// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore
import Telemetry
import TestSupport
import Testing

@testable import Vitrine

/// `vitrine observe` and `vitrine telemetry` as a person runs them.
struct ObserveTests {
    private struct Running {
        let process: VitrineProcess
        let address: String

        func write(_ message: [UInt8]) async throws -> (status: Int, text: String) {
            var request = HTTPClientRequest(url: address + "/api/v1/write")
            request.method = .POST
            request.headers.add(name: "Content-Encoding", value: "snappy")
            request.body = .bytes(ByteBuffer(bytes: message))
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            return (Int(response.status.code), String(buffer: try await response.body.collect(upTo: 1 << 20)))
        }

        func value(_ query: String) async throws -> String? {
            let escaped = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let request = HTTPClientRequest(url: "\(address)/api/v1/query?query=\(escaped)")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let body = try JSON.parse(Array(try await response.body.collect(upTo: 1 << 20).readableBytesView))
            return body["data"]?["result"]?.array?.first?["value"]?.array?.last?.string
        }

        /// The observatory tells of itself every few seconds.
        func wait(for query: String, _ wanted: String) async throws {
            let end = ContinuousClock.now + .seconds(60)
            var told = try await value(query)
            while told != wanted, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(500))
                told = try await value(query)
            }
            #expect(told == wanted, "\(query)")
        }
    }

    private static func observe(_ directory: String, _ environment: [String: String] = [:]) async throws -> Running {
        let process = try VitrineProcess(
            ["observe", "--directory", directory, "--port", "0", "--otlp-http-port", "0", "--otlp-grpc-port", "0"],
            environment: environment)
        try await process.wait(for: "The observatory is at http://")
        guard let address = process.output.firstMatch(of: #/is at (http:\/\/[0-9.:]+)/#).map({ String($0.1) }) else {
            throw Failure(.corrupt, "There is no address in: \(process.output)")
        }
        return Running(process: process, address: address)
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    private static func labels(_ metric: String, _ id: Int) -> LabelSet {
        LabelSet([MetricLabel(LabelSet.name, metric), MetricLabel("id", "value, \(id)"), MetricLabel("job", "test")])
    }

    @Test func `what was acknowledged survives kill -9, and files tell when they are damaged`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let path = directory.path + "/telemetry"
        var running = try await Self.observe(path)
        for round in 0..<20 {
            let series = (0..<100).map { id in
                (Self.labels("m", id), SampleColumns(times: [Self.now() + Int64(round)], values: [Double(round)]))
            }
            let answer = try await running.write(RemoteWriteMessage.bytes(series))
            #expect(answer.status == 204)
        }
        running.process.kill()
        _ = try await running.process.exitStatus()
        running = try await Self.observe(path)
        let kept = try await running.value("sum(count_over_time(m[10m] offset -1m))")
        #expect(kept == "2000")
        let second = try await VitrineProcess.run(["observe", "--directory", path, "--port", "0"])
        #expect(second.status != 0 && second.output.contains("used by another process"))
        running.process.interrupt()
        let status = try await running.process.exitStatus()
        #expect(status == 0)

        let stats = try await VitrineProcess.run(["telemetry", "stats", "--directory", path])
        #expect(stats.output.contains("100 series, 2000 samples"), "\(stats.output)")
        let export = try await VitrineProcess.run(
            ["telemetry", "export", "--directory", path, "--match", "m{id=\"value, 7\"}"])
        #expect(export.output.hasPrefix("# TYPE m unknown\nm{id=\"value, 7\",job=\"test\"} 0 "), "\(export.output)")
        #expect(export.output.split(separator: "\n").count == 22 && export.output.hasSuffix("# EOF\n"))
        let whole = try await VitrineProcess.run(["telemetry", "check", "--directory", path])
        #expect(whole.status == 0 && whole.output.contains("0 damaged"), "\(whole.output)")

        let part = path + "/metrics-1.part"
        var bytes = try Data(contentsOf: URL(filePath: part))
        bytes[30] ^= 1
        try bytes.write(to: URL(filePath: part))
        let damaged = try await VitrineProcess.run(["telemetry", "check", "--directory", path])
        #expect(damaged.status == 1 && damaged.output.contains("metrics-1.part: a block"), "\(damaged.output)")
        let nowhere = try await VitrineProcess.run(["telemetry", "check", "--directory", path + "/nowhere"])
        #expect(nowhere.status != 0 && nowhere.output.contains("--directory"))
    }

    @Test func `a shop keeps its own spans and log lines, and its exemplars open their traces`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (process, address, key) = try await VitrineProcess.serve(
            directory.path + "/data",
            environment: ["VITRINE_OBSERVATORY_TOKEN": "secret", "VITRINE_LOG_LEVEL": "debug"])
        try await process.wait(for: "The observatory is at")
        let place = process.output.firstMatch(of: #/observatory is at (http:\/\/[0-9.:]+)/#).map { String($0.1) } ?? ""
        func ask(_ path: String) async throws -> JSON {
            var request = HTTPClientRequest(url: place + path)
            request.headers.add(name: "Authorization", value: "Bearer secret")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            return try JSON.parse(Array(try await response.body.collect(upTo: 8 << 20).readableBytesView))["data"]
                ?? .null
        }
        for _ in 0..<3 {
            let answer = try await ShopClient(address, key: key).send(.GET, "/v1/orders")
            #expect(answer.status == 200)
        }
        // Kept after the sampler's grace of two seconds.
        let end = ContinuousClock.now + .seconds(40)
        var traces: [JSON] = []
        while traces.isEmpty, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
            traces = try await ask("/api/traces?service=vitrine&operation=GET%20%2Fv1%2Forders").array ?? []
        }
        let spans = traces.first?["spans"]?.array ?? []
        #expect(spans.count > 1, "the request and its statements")
        let lines = try await ask("/loki/api/v1/query_range?query=%7Bservice_name%3D%22vitrine%22%7D")
        #expect(lines["result"]?.array?.isEmpty == false)
        let query = "/api/v1/query_exemplars?query=http_server_request_duration_seconds_bucket&start=0&end=9000000000"
        var exemplars: [JSON] = []
        while exemplars.isEmpty, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(500))
            exemplars = try await ask(query).array?.flatMap { $0["exemplars"]?.array ?? [] } ?? []
        }
        #expect(!exemplars.isEmpty)
        for exemplar in exemplars {
            let trace = try await ask("/api/traces/\(exemplar["labels"]?["trace_id"]?.string ?? "")")
            #expect(trace.array?.first?["spans"]?.array?.isEmpty == false)
        }
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }

    /// Label values without end by all three ways in at once, as careless senders make them. `VITRINE_SOAK=1` has five million
    /// come in a minute.
    @Test(.enabled(if: Python.isInstalled, "python3 with venv is needed: apt-get install python3-venv"))
    func `a flood of series neither fills the memory nor touches the known ones`() async throws {
        let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] != nil
        let (each, seconds) = isLong ? (1_680_000, 60) : (150_000, 5)
        let talk = Pipe()
        let script = Python.process("flood.py", ["\(each)", "\(seconds)"])
        script.standardInput = talk
        let flood = try VitrineProcess(running: script)
        defer { talk.fileHandleForWriting.closeFile() }
        try await flood.wait(for: "port ")
        let port = try #require(flood.output.firstMatch(of: /port (\d+)/)?.1)
        let directory = try TestDirectory()
        defer { directory.remove() }
        let jobs = directory.path + "/scrape.yml"
        try """
        scrape_configs:
        - job_name: careless target
          scrape_interval: 3s
          static_configs: [{targets: ["127.0.0.1:\(port)"]}]
        """.write(toFile: jobs, atomically: true, encoding: .utf8)
        let running = try await Self.observe(directory.path + "/telemetry", ["VITRINE_SCRAPE": jobs])
        talk.fileHandleForWriting.write(Data("\(running.address)\n".utf8))
        try await flood.wait(for: "sent in ", within: .seconds(120 + 2 * seconds))

        for (metric, sender) in [
            ("written", "careless writer"), ("told_total", "careless service"), ("shown", "careless target"),
        ] {
            // Each has the number of the last turn; the target is asked once more after it.
            let last = metric == "shown" ? max(2, seconds / 3) + 1 : seconds
            #expect(try await running.value("sum(known_\(metric))") == "\(100 * last)")
            #expect(try await running.value("count(max_over_time(wild_\(metric)[1h]))") == "100001", "\(metric)")
            let named =
                "sum(vitrine_observatory_folded_samples_total{metric=\"wild_\(metric)\",label=\"id\",sender=\"\(sender)\"})"
            try await running.wait(for: named, "\(each - 100_000)")
        }
        let peak = try #require(running.process.peakMemory)
        #expect(peak < 512 << 20, "\(peak >> 20) MiB")
        running.process.interrupt()
        let status = try await running.process.exitStatus()
        #expect(status == 0)
    }
}
