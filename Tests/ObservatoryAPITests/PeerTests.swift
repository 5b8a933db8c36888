// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import PromQL
import Telemetry
import TestSupport
import Testing
import Vitrine

@testable import TelemetryStore

/// Other people's programs on the other end.
struct PeerTests {
    @Test(.enabled("apt-get install prometheus") { TestPrometheus.isInstalled })
    func `a Prometheus writes to us, and reads us by federation`() async throws {
        try await TestObservatory.run { observatory in
            let port = FreePort.find()
            let prometheus = try TestPrometheus(
                scrape: """

                    - job_name: itself
                      scrape_interval: 1s
                      static_configs: [{targets: ['127.0.0.1:\(port)']}]
                    - job_name: us
                      scrape_interval: 1s
                      honor_labels: true
                      metrics_path: /federate
                      params: {'match[]': ['{job="itself"}']}
                      static_configs: [{targets: ['127.0.0.1:\(observatory.port)']}]
                    remote_write:
                    - url: http://127.0.0.1:\(observatory.port)/api/v1/write
                      metadata_config: {send_interval: 1s}
                    """, port: port)
            defer { prometheus.stop() }
            let query = [("query", "min_over_time(up{job=\"itself\"}[1m])")]
            try await eventually {
                let ours = try await observatory.get("/api/v1/query", query)
                return ours.data["result"]?.array?.first?["value"]?.array?.last == .string("1")
            }
            // The scrape of us succeeds, and what it brings is the same series.
            try await eventually {
                let theirs = try await prometheus.get(
                    "/api/v1/query", [("query", "up{job=\"us\"} == 1 and on() up{job=\"itself\"}")])
                return theirs["data"]?["result"]?.array?.isEmpty == false
            }
            try await eventually {
                let scraped = try await prometheus.get(
                    "/api/v1/query", [("query", "scrape_samples_scraped{job=\"us\"} > 100")])
                return scraped["data"]?["result"]?.array?.count == 1
            }
            // It sends what it knows of its metrics, too.
            try await eventually { try await observatory.get("/api/v1/metadata").data["go_goroutines"] != nil }
        }
    }

    private func eventually(_ test: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while try await !test() {
            guard ContinuousClock.now < end else {
                Issue.record("has not become so within a minute")
                return
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    @Test(.enabled("apt-get install prometheus") { TestPrometheus.isInstalled })
    func `promtool is a client`() async throws {
        try await TestObservatory.run(now: RandomSeries.end) { observatory in
            for family in RandomSeries.make(seed: 3) {
                do {
                    let status = try await observatory.write(RemoteWriteMessage.bytes(family.series)).status
                    #expect(status == 204)
                }
            }
            let address = "http://127.0.0.1:\(observatory.port)"
            let end = "\(RandomSeries.end / 1_000)"
            let span = ["--start=\(RandomSeries.start / 1_000)", "--end=\(end)"]
            func ask(_ arguments: [String]) throws -> String {
                let process = Process()
                process.executableURL = URL(filePath: "/usr/bin/promtool")
                process.arguments = ["query"] + arguments
                let pipe = Pipe()
                process.standardOutput = pipe
                try process.run()
                let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                #expect(process.terminationStatus == 0, "\(arguments): \(output)")
                return output
            }
            #expect(try ask(["instant", "--time=\(end)", address, "count(load)"]).hasPrefix("{} => 6 @["))
            #expect(
                try ask(["range"] + span + ["--step=5m", address, "sum(load)"])
                    .contains("{} =>"))
            let series = try ask(["series", "--match=load"] + span + [address])
            #expect(series.split(separator: "\n").count == 6)
            let labels = try ask(["labels"] + span + [address, "job"])
            #expect(labels == "a\nb\n")
        }
    }

    @Test(.enabled("apt-get install prometheus") { TestPrometheus.isInstalled })
    func `what both were sent has the same answers, from the log and from parts`() async throws {
        try await TestObservatory.run(.v2, now: RandomSeries.end) { observatory in
            let prometheus = try TestPrometheus()
            defer { prometheus.stop() }
            let families = RandomSeries.make(seed: 21)
            for family in families {
                // In the order of time, and in several batches, with a flush in between.
                for part in 0..<3 {
                    let series = family.series.map { labels, samples in
                        let (low, high) = (samples.count * part / 3, samples.count * (part + 1) / 3)
                        return (
                            labels,
                            SampleColumns(
                                times: Array(samples.times[low..<high]), values: Array(samples.values[low..<high]))
                        )
                    }
                    let message = RemoteWriteMessage.bytes(series)
                    do {
                        let status = try await observatory.write(message).status
                        #expect(status == 204)
                    }
                    do {
                        let status = try await prometheus.write(message)
                        #expect(status == 204)
                    }
                    if part == 1 { try observatory.store.flush() }
                }
            }
            var random = RandomQueries(generator: SeededGenerator(seed: 13))
            var answered = 0
            for _ in 0..<400 {
                let parameters = [
                    ("query", random.vector()), ("start", "\(RandomSeries.start / 1_000 + 600)"),
                    ("end", "\(RandomSeries.start / 1_000 + 1_200)"), ("step", "20"),
                ]
                let theirs = try await prometheus.get("/api/v1/query_range", parameters)
                let ours = try await observatory.get("/api/v1/query_range", parameters, post: true)
                #expect(ours.json["status"] == theirs["status"], "\(parameters[0].1): \(ours.text.prefix(300))")
                guard theirs["status"] == .string("success") else { continue }
                answered += 1
                #expect(
                    Self.agree(ours.data["result"] ?? .null, theirs["data"]?["result"] ?? .null),
                    "\(parameters[0].1)\n\(ours.text.prefix(500))\n\(theirs.text.prefix(500))")
            }
            #expect(answered > 200)
        }
    }

    /// The same series in the same order, with the same values to 1e-6.
    private static func agree(_ ours: JSON, _ theirs: JSON) -> Bool {
        let (ours, theirs) = (ours.array ?? [], theirs.array ?? [])
        return ours.count == theirs.count
            && zip(ours, theirs).allSatisfy { left, right in
                let (ourValues, theirValues) = (left["values"]?.array ?? [], right["values"]?.array ?? [])
                return left["metric"] == right["metric"] && ourValues.count == theirValues.count
                    && zip(ourValues, theirValues).allSatisfy { left, right in
                        let (value, other) = (number(left.array?.last), number(right.array?.last))
                        return left.array?.first == right.array?.first
                            && (value == other || value.isNaN && other.isNaN
                                || abs(value - other) <= max(1e-8, 1e-6 * max(abs(value), abs(other))))
                    }
            }
    }

    private static func number(_ json: JSON?) -> Double { json?.string.flatMap(Double.init) ?? .nan }

    @Test(
        .enabled("make test fetches OpenTelemetry's SDK") { Python.isInstalled },
        arguments: ["http", "grpc"])
    func `OpenTelemetry's SDK sends, and its metrics have Prometheus' names`(wireProtocol: String) async throws {
        try await TestObservatory.run { observatory in
            try await Receivers.run(observatory) { http, grpc in
                let answer = try await Python.run(
                    "otlp_sender.py", ["\(http)", "\(grpc)", "sdk", wireProtocol, "gzip"])
                #expect(answer.status == 0, "\(answer.errors)")
            }
            func value(_ query: String) async throws -> String? {
                let answer = try await observatory.get("/api/v1/query", [("query", query)])
                return answer.data["result"]?.array?.first?["value"]?.array?.last?.string
            }
            #expect(try await value("sold_total{shop=\"s3\",job=\"peer\"}") == "4")
            #expect(try await value("sum(sold_total)") == "21")
            #expect(try await value("stock") == "-4")
            #expect(try await value("level") == "0.5")
            #expect(try await value("coarse_milliseconds_count") == "4")
            #expect(try await value("fine_bucket{le=\"+Inf\"}") == "4")
            #expect(try await value("target_info{answer=\"42\"}") == "1")
            // Its spans and log records, too.
            let failed = try await observatory.get(
                "/api/traces", [("service", "peer"), ("tags", #"{"error":"true"}"#)])
            let trace = failed.data.array?.first
            #expect(failed.data.array?.count == 1 && trace?["spans"]?.array?.count == 2)
            let inner = trace?["spans"]?.array?.first { $0["operationName"] == .string("inner") }
            #expect(
                inner?["logs"]?.array?.first?["fields"]?.array?.contains { $0["value"] == .string("seven") } == true)
            let found = try await observatory.get(
                "/api/traces", [("tags", #"{"number":"77","answer":"42","otel.scope.name":"peer.tracer"}"#)])
            #expect(found.data.array?.count == 1)
            let lines = try await observatory.get(
                "/loki/api/v1/query_range", [("query", #"{service_name="peer", level="warn"} |= "line 7""#)])
            #expect(lines.data["result"]?.array?.flatMap { $0["values"]?.array ?? [] }.count == 11)
        }
    }
}
