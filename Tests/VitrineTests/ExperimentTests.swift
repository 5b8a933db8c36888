// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Resilience
import Telemetry
import TestSupport
import Testing

@testable import Vitrine

@Suite struct ExperimentTests {
    private func run(_ text: String, _ arguments: [String] = []) throws -> (status: Int32, output: String) {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let file = folder.path + "/experiment.json"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: VitrineProcess.binary)
        process.arguments = ["chaos", file] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private func experiment(_ faults: String, during: String, abort: Int = 100) -> String {
        """
        {"title": "t", "faults": [\(faults)], "shoppers": 20, "before": {"seconds": 2, "failed_percent_max": 0},
         "during": {"seconds": 3\(during)}, "after": {"seconds": 2, "failed_percent_max": 0}, "abort_percent": \(abort)}
        """
    }

    @Test func `what is expected holds, and the books are right`() throws {
        let found = try run(
            experiment(
                #"{"edge": "payment", "kind": "reset", "percent": 30}, {"edge": "endpoint", "kind": "error", "percent": 5}"#,
                during: ", \"failed_percent_max\": 20"), ["--seed", "5"])
        #expect(found.status == 0, "\(found.output)")
        #expect(found.output.contains("(seed 5)") && found.output.contains(" 0 lost, 0 disagreements"))
        #expect(!found.output.contains("done to 0 calls"), "\(found.output)")
    }

    @Test(
        .enabled(if: TestPostgres.isInstalled, "needs apt-get install postgresql"))
    func `connections to Postgres break and drag, and nothing is lost`() throws {
        let database = try #require(try TestEngine.postgres.freshDatabase())
        let faults = #"""
            {"edge": "database.wire", "kind": "reset", "percent": 1},
            {"edge": "database.wire", "kind": "latency", "percent": 5, "to_ms": 20}
            """#
        let found = try run(experiment(faults, during: ""), ["--database", database])
        #expect(found.status == 0, "\(found.output)")
        #expect(found.output.contains(" 0 lost, 0 disagreements"))
        #expect(!found.output.contains("done to 0 calls"), "\(found.output)")
        let again = try run(experiment(faults, during: ""), ["--database", database])
        #expect(again.status != 0 && again.output.contains("already"), "\(again.output)")
        let nowhere = try run(experiment(faults, during: ""))
        #expect(nowhere.status != 0 && nowhere.output.contains("no database.wire"), "\(nowhere.output)")
    }

    /// One that left before the faults may be met by them, which says nothing of the shop without faults.
    @Test func `a request that is open when the faults begin belongs to them, and when they end still does`() {
        let tally = Tally(isPhased: true)
        let early = tally.begins()
        tally.request(.milliseconds(1), hasFailed: false, in: tally.begins())
        tally.beginPhase(takesOpen: true)
        tally.request(.milliseconds(1), hasFailed: true, in: early)
        let late = tally.begins()
        tally.beginPhase(takesOpen: false)
        #expect(tally.phases.map(\.open) == [0, 1, 0])
        tally.request(.milliseconds(1), hasFailed: true, in: late)
        tally.request(.milliseconds(1), hasFailed: false, in: tally.begins())
        #expect(tally.phases.map(\.open) == [0, 0, 0])
        #expect(tally.phases.map(\.requests) == [1, 2, 1])
        #expect(tally.phases.map(\.failures) == [0, 2, 0])
    }

    @Test func `what does not hold is said, and an experiment that goes wrong is ended`() throws {
        let fault = #"{"edge": "endpoint", "kind": "error", "percent": 60}"#
        let broken = try run(experiment(fault, during: ", \"failed_percent_max\": 1"))
        #expect(broken.status == 1 && broken.output.contains("not held: during:"), "\(broken.output)")
        let aborted = try run(experiment(fault, during: "", abort: 20))
        #expect(aborted.status == 2 && aborted.output.contains("aborted"), "\(aborted.output)")
        #expect(aborted.output.contains(" 0 lost, 0 disagreements"))
    }

    @Test func `a file that is none is refused with every place that is wrong`() throws {
        let found = try run(#"{"title": "", "faults": [{"edge": "moon", "kind": "error"}], "before": {"seconds": 0}}"#)
        #expect(found.status != 0)
        for place in ["#/title", "#/faults/0/edge", "#/before/seconds", "#/during", "#/after"] {
            #expect(found.output.contains(place), "\(found.output)")
        }
        #expect(try run("{").output.contains("no JSON"))
    }

    @Test func `while faults are made health says so`() async throws {
        let faults = FaultInjector()
        try await TestShop.run(configure: { $0.faults = faults }) { shop in
            let process = Signals.Process(
                telemetry: ProcessTelemetry(.init(service: "test")), exporter: nil, mailbox: nil, services: [])
            let health = Signals.health(of: shop.shop, process)
            func text() -> String { String(decoding: health.report().body, as: UTF8.self) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await health.run() }
                defer { group.cancelAll() }
                faults.begin(FaultPlan(seed: 1, [Fault(at: "payment", .error)], length: .seconds(60)))
                let end = ContinuousClock.now + .seconds(20)
                while !text().contains("made on purpose") {
                    try #require(ContinuousClock.now < end, "\(text())")
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }
    }
}
