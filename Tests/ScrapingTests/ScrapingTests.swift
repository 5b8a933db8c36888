// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Telemetry
import TestSupport
import Testing

@testable import Scraping

struct ExpositionTests {
    private static func shown(_ text: String, isOpenMetrics: Bool = false) throws -> [String] {
        try Exposition(Array(text.utf8), isOpenMetrics: isOpenMetrics).samples.map {
            "\(LabelSet($0.labels)) \(SampleText.of($0.value))" + ($0.time.map { " \($0)" } ?? "")
        }
    }

    @Test(arguments: [
        ("up 1", "up 1"), ("  up\t 1  ", "up 1"), ("a{b=\"c\"} 2.5e3", "a{b=\"c\"} 2500"),
        ("a{b=\"c\",} 1 1700", "a{b=\"c\"} 1 1700"),
        ("a{ b = \"x\\\"y\\\\z\\n\" } +Inf", "a{b=\"x\\\"y\\\\z\\n\"} +Inf"), ("a NaN", "a NaN"),
        ("a{b=\"ü\"} -1 -5", "a{b=\"ü\"} -1 -5"),
        ("{\"http.requests\",\"service.name\"=\"x\"} 3", "{\"http.requests\", \"service.name\"=\"x\"} 3"),
        ("a:b 1\r", "a:b 1"),
    ])
    func `the text format is read`(line: String, sample: String) throws {
        #expect(try Self.shown("# HELP x y\n\(line)\n") == [sample])
    }

    @Test func `OpenMetrics has seconds, exemplars and an end`() throws {
        let text = """
            # TYPE hits counter
            # HELP hits All hits, "quoted".
            # UNIT hits seconds
            hits_total{a="b"} 3.0 1700000000.5 # {trace_id="abc"} 0.5 1
            hits_created 1
            # EOF
            """
        #expect(
            try Self.shown(text, isOpenMetrics: true) == ["hits_total{a=\"b\"} 3 1700000000500", "hits_created 1"])
        let read = try Exposition(Array(text.utf8), isOpenMetrics: true)
        #expect(
            read.metadata == [
                "hits_total": MetricMetadata(type: "counter", help: "All hits, \"quoted\".", unit: "seconds")
            ])
    }

    @Test(arguments: ["up", "up x", "up 1 x", "up{a=\"b\" 1", "up{a=b} 1", "{a=\"b\"} 1", "up{a=\"b} 1", "1up 1 1 1"])
    func `what is neither is refused with its line`(line: String) {
        do {
            _ = try Exposition(Array("fine 1\n\(line)\n".utf8), isOpenMetrics: false)
            Issue.record("\(line) was read")
        } catch { #expect(error.line == 2) }
    }

    @Test func `OpenMetrics that was cut off is refused`() {
        #expect(throws: Exposition.Malformed.self) { try Exposition(Array("a 1\n".utf8), isOpenMetrics: true) }
        #expect(throws: Exposition.Malformed.self) {
            try Exposition(Array("# EOF\na 1\n".utf8), isOpenMetrics: true)
        }
    }

    @Test func `random bytes never end the process`() {
        var random = SeededGenerator(seed: 2)
        let good = Array("# TYPE a counter\na_total{b=\"c\\\"\",d=\"e\"} 1 2 # {x=\"y\"} 1\n# EOF\n".utf8)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...Int.random(in: 0...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? Exposition(bytes, isOpenMetrics: Bool.random(using: &random))
        }
    }
}

struct ScrapeStateTests {
    private static let target: [MetricLabel] = [MetricLabel("job", "shop"), MetricLabel("instance", "here:1")]

    private static func state(_ change: (inout ScrapeJob) -> Void = { _ in }) throws -> ScrapeState {
        var job = ScrapeJob("shop")
        change(&job)
        let found = LabelSet([MetricLabel("__address__", "here:1")])
        let target = try #require(try Target(found, of: job, Relabelling(job.targetSteps)))
        return ScrapeState(job, target, try Relabelling(job.sampleSteps))
    }

    private static func samples(_ batch: SampleBatch) -> Set<String> {
        Set(
            batch.rows.flatMap { row in
                let labels = SeriesKey.labels(of: batch.keys[row.key])
                return row.samples.filter { _ in !labels.metricName.hasPrefix("scrape_") }.map { place in
                    let value = batch.values[place]
                    return
                        "\(labels) \(StaleMarker.isStale(value) ? "ended" : SampleText.of(value)) \(batch.times[place])"
                }
            })
    }

    private static func exposition(_ text: String) throws -> Exposition {
        try Exposition(Array((text + "\n").utf8), isOpenMetrics: false)
    }

    private static let own = "instance=\"here:1\", job=\"shop\""

    @Test func `a series that is no longer shown has ended, and all have when the target is down`() throws {
        var state = try Self.state()
        let first = state.scraped(try Self.exposition("a 1\nb 2\nc 3 77"), at: 100, took: 0.1)
        #expect(
            Self.samples(first.batch) == [
                "a{\(Self.own)} 1 100", "b{\(Self.own)} 2 100", "c{\(Self.own)} 3 77", "up{\(Self.own)} 1 100",
            ])
        let second = state.scraped(try Self.exposition("a 4"), at: 200, took: 0.1)
        #expect(
            Self.samples(second.batch) == [
                "a{\(Self.own)} 4 200", "b{\(Self.own)} ended 200", "up{\(Self.own)} 1 200",
            ],
            "one with a time of its own is left alone")
        let third = state.failed("no route to host", at: 300, took: 0.1)
        #expect(Self.samples(third.batch) == ["a{\(Self.own)} ended 300", "up{\(Self.own)} 0 300"])
        #expect(Self.samples(state.removed(at: 400)) == ["up{\(Self.own)} ended 400"])
    }

    @Test func `a scrape beyond a limit fails as a whole`() throws {
        let changes: [(inout ScrapeJob) -> Void] = [
            { $0.limits.samples = 1 }, { $0.limits.labels = 3 }, { $0.limits.labelNameBytes = 8 },
            { $0.limits.labelValueBytes = 6 },
        ]
        for change in changes {
            var state = try Self.state(change)
            let outcome = state.scraped(try Self.exposition("a{muchlonger=\"muchlonger\"} 1\nb 2"), at: 1, took: 0)
            #expect(outcome.fault != nil && Self.samples(outcome.batch) == ["up{\(Self.own)} 0 1"], "\(outcome)")
        }
    }

    @Test func `whose label it is the job says`() throws {
        let text = "a{job=\"theirs\",exported_job=\"x\",instance=\"\"} 1"
        var plain = try Self.state()
        #expect(
            Self.samples(plain.scraped(try Self.exposition(text), at: 1, took: 0).batch).contains(
                "a{exported_exported_job=\"theirs\", exported_job=\"x\", \(Self.own)} 1 1"))
        var honoring = try Self.state { $0.honorsLabels = true }
        #expect(
            Self.samples(honoring.scraped(try Self.exposition(text), at: 1, took: 0).batch).contains(
                "a{exported_job=\"x\", job=\"theirs\"} 1 1"))
    }
}

struct ScrapeConfigurationTests {
    @Test(arguments: [
        ("scrape_configs: []\n  x", "line 1"), ("a: 1", "scrape_configs"), ("scrape_configs: [{}]", "job_name"),
        ("scrape_configs: [{job_name: a, scrape_intervall: 5s}]", "scrape_intervall is not supported"),
        ("scrape_configs: [{job_name: a}, {job_name: a}]", "twice"),
        ("scrape_configs: [{job_name: a, scrape_interval: soon}]", "15s"),
        ("scrape_configs: [{job_name: a, scrape_timeout: 2m}]", "exceeds"),
        ("scrape_configs: [{job_name: a, relabel_configs: [{regex: '('}]}]", "offset"),
        ("scrape_configs: [{job_name: a, relabel_configs: [{action: invent}]}]", "invent"),
        ("scrape_configs: [{job_name: a, kubernetes_sd_configs: []}]", "kubernetes_sd_configs"),
        ("scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: MX}]}]", "SRV, or A or AAAA with a port"),
        ("scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: A}]}]", "SRV, or A or AAAA with a port"),
    ])
    func `what is wrong is said`(text: String, words: String) {
        do {
            _ = try ScrapeConfiguration.jobs(text)
            Issue.record("\(text) was taken")
        } catch { #expect("\(error)".contains(words), "\(error)") }
    }
}

/// Where services are, as a name server says it.
struct ServiceRecordTests {
    @Test(.enabled(if: Python.isInstalled, "python3 with venv is needed: apt-get install python3-venv"))
    func `services are found, also where an answer is too long for one packet`() throws {
        let server = Python.process("names.py")
        let (input, output) = (Pipe(), Pipe())
        (server.standardInput, server.standardOutput) = (input, output)
        try server.run()
        defer { input.fileHandleForWriting.closeFile() }
        let port = try #require(
            UInt16(String(decoding: output.fileHandleForReading.availableData.prefix { $0 != 10 }, as: UTF8.self)))
        // One comes twice, and one is an alias's record among them.
        #expect(
            ServiceRecords.find("_metrics._tcp.shop.example", server: port) == [
                .init(host: "a.shop.example", port: 9_100), .init(host: "b.shop.example", port: 9_200),
            ])
        let many = ServiceRecords.find("_many._tcp.shop.example", server: port)
        #expect(many == (0..<200).map { .init(host: "host-\($0).shop.example", port: 10_000 + $0) })
        for name in ["_nowhere._tcp.shop.example", "_none._tcp.shop.example", "_damaged._tcp.shop.example"] {
            #expect(ServiceRecords.find(name, server: port).isEmpty, "\(name)")
        }
        let labels = AddressBook.labels(of: .init(host: "a.shop.example", port: 9_100), "_metrics._tcp.shop.example")
        #expect(labels["__address__"] == "a.shop.example:9100")
        #expect(labels["__meta_dns_srv_record_target"] == "a.shop.example.")
        #expect(labels["__meta_dns_srv_record_port"] == "9100")
    }

    @Test func `SRV is what is asked for where no type is given`() throws {
        let jobs = try ScrapeConfiguration.jobs(
            "scrape_configs: [{job_name: a, dns_sd_configs: [{names: [_m._tcp.a]}]}]")
        guard case .services(["_m._tcp.a"])? = jobs.first?.discoveries.first else {
            Issue.record("\(jobs)")
            return
        }
    }
}

/// The same jobs in a real Prometheus and in ours.
struct ScraperPeerTests {
    private static func jobs(_ port: Int, _ file: String) -> String {
        """

        - job_name: plain
          scrape_interval: 1s
          static_configs: [{targets: ['127.0.0.1:\(port)'], labels: {zone: east, number: 7}}]
          metric_relabel_configs:
          - {source_labels: [__name__], regex: 'go_(gc|mem|goroutines).*|prometheus_build_info', action: keep}
          - {source_labels: [__name__], regex: '.*alloc.*', action: drop}
          - {regex: 'go(.*)', replacement: 'mapped_$1', action: labelmap}
          - {regex: quantile, action: labeldrop}
          - {source_labels: [__name__, zone], separator: '/', target_label: joined}
          - {source_labels: [version], target_label: VERSION, action: uppercase}
        - job_name: sharded
          scrape_interval: 1s
          metrics_path: /nowhere
          params: {module: ['a b&c']}
          file_sd_configs: [{files: ['\(file)']}]
          relabel_configs:
          - {source_labels: [__address__], modulus: 17, target_label: shard, action: hashmod}
          - {source_labels: [__address__, __param_module], regex: '(.*):.*;(.*)', replacement: '${1}-$2', target_label: instance}
          - {source_labels: [role], regex: '', action: drop}
        - job_name: federated
          scrape_interval: 1s
          honor_labels: true
          metrics_path: /federate
          params: {'match[]': ['{__name__=~"prometheus_build_info"}']}
          static_configs: [{targets: ['127.0.0.1:\(port)']}]
        """
    }

    @Test(.enabled("apt-get install prometheus") { TestPrometheus.isInstalled })
    func `the same jobs make the same series as in Prometheus`() async throws {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let (port, file) = (TestPrometheus.freePort(), folder.path + "/targets.json")
        try """
        [{"targets": ["127.0.0.1:\(port)", "127.0.0.1:1"], "labels": {"role": "a"}}, {"targets": ["127.0.0.1:2"]}]
        """.write(toFile: file, atomically: true, encoding: .utf8)
        let prometheus = try TestPrometheus(scrape: Self.jobs(port, file), port: port)
        defer { prometheus.stop() }
        let series = SeriesLog()
        let jobs = try ScrapeConfiguration.jobs("scrape_configs:" + Self.jobs(port, file))
        let scraper = Scraper(jobs) { batch, _ in series.note(batch) }
        let running = Task { try await scraper.run() }
        defer { running.cancel() }
        var (ours, theirs): (Set<LabelSet>, Set<LabelSet>) = ([], [])
        let end = ContinuousClock.now + .seconds(40)
        repeat {
            try await Task.sleep(for: .milliseconds(500))
            ours = series.living
            let found = try await prometheus.get("/api/v1/query", [("query", "{job=~\"plain|sharded|federated\"}")])
            theirs = Set(
                (found["data"]?["result"]?.array ?? []).map { result in
                    LabelSet((result["metric"]?.members ?? []).map { MetricLabel($0.name, $0.value.string ?? "") })
                })
        } while (ours != theirs || theirs.count < 30) && ContinuousClock.now < end
        #expect(theirs.count >= 30, "\(theirs.count)")
        #expect(
            ours == theirs,
            "only ours: \(ours.subtracting(theirs).sorted())\nonly theirs: \(theirs.subtracting(ours).sorted())")
        #expect(Set(scraper.targets.filter { !$0.fault.isEmpty }.map(\.job)) == ["sharded"])
        // A target that is taken out of its file ends, with all that was said about it.
        try "[]".write(toFile: file, atomically: true, encoding: .utf8)
        while series.living.contains(where: { $0["job"] == "sharded" }), ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(!series.living.contains { $0["job"] == "sharded" })
    }
}
