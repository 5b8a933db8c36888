// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

/// The commands as a person runs them.
@Suite(.serialized) struct CommandTests {
    private func withDirectory(_ test: (String) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await test(directory.path + "/data")
    }

    @Test func `the demo takes orders without a fault, and each of its curl lines works when pasted`() async throws {
        let demo = try VitrineProcess(["demo", "--port", "0", "--seconds", "12"])
        try await demo.wait(for: "Ctrl-C stops.")
        let lines = demo.output.split(separator: "\n").filter { $0.contains("  curl ") }
        #expect(lines.count == 6)
        for line in lines {
            let shell = Process()
            shell.executableURL = URL(filePath: "/bin/bash")
            shell.arguments = ["-c", String(line).replacing("curl -s", with: "curl -s -w '\\n%{http_code}'")]
            let pipe = Pipe()
            shell.standardOutput = pipe
            try shell.run()
            let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
            shell.waitUntilExit()
            let answer = String(decoding: data, as: UTF8.self)
            #expect(answer.hasSuffix("\n200") || answer.hasSuffix("\n201"), "\(line)\n\(answer)")
            #expect(!answer.contains("\"items\":[]"), "\(line)\n\(answer)")
        }
        #expect(try await demo.exitStatus(within: .seconds(120)) == 0)
        let last = try #require(demo.output.split(separator: "\n").last { $0.contains(" orders ") })
        #expect(last.contains(" 0 faults "), "\(last)")
        let orders = try #require(last.split(separator: " ").first.flatMap { Int($0) })
        #expect(orders > 10, "\(last)")
    }

    @Test func `Ctrl-C stops the demo cleanly`() async throws {
        let demo = try VitrineProcess(["demo", "--port", "0"])
        try await demo.wait(for: " orders ")
        demo.interrupt()
        #expect(try await demo.exitStatus() == 0, "\(demo.output)")
        #expect(demo.output.contains("Vitrine has stopped."))
    }

    @Test func `who closes the output ends no demo, and a full disk is told`() async throws {
        func shell(_ line: String) throws -> (status: Int32, said: String) {
            let shell = Process()
            shell.executableURL = URL(filePath: "/bin/bash")
            shell.arguments = ["-c", "set -o pipefail; " + line.replacing("vitrine", with: VitrineProcess.binary)]
            let pipe = Pipe()
            shell.standardError = pipe
            try shell.run()
            let said = try pipe.fileHandleForReading.readToEnd() ?? Data()
            shell.waitUntilExit()
            return (shell.terminationStatus, String(decoding: said, as: UTF8.self))
        }
        let cut = try shell("vitrine demo --port 0 --seconds 4 | head -n 1 > /dev/null")
        #expect(cut.status == 0, "\(cut.said)")
        let full = try shell("vitrine openapi > /dev/full")
        #expect(full.status == 1 && full.said.contains("No space left"), "\(full.said)")
    }

    @Test func `migrations are listed before they are applied, and applied once`() async throws {
        try await withDirectory { path in
            let dry = try await VitrineProcess.run(["migrate", "--dry-run", "--data", path])
            let applied = try await VitrineProcess.run(["migrate", "--data", path])
            let again = try await VitrineProcess.run(["migrate", "--data", path])
            #expect(dry.output.contains("pending  ordering-0001-orders"))
            #expect(applied.output.replacing("applied", with: "pending") == dry.output)
            #expect(again.output.contains("up to date"))
            let check = try await VitrineProcess.run(["check", "--data", path])
            #expect(check.status == 0 && check.output.contains("ok    storage"))
        }
    }

    @Test func `errors say what to do`() async throws {
        try await withDirectory { path in
            let nothing = try await VitrineProcess.run(["check", "--data", path])
            #expect(nothing.status == 1 && nothing.output.contains("vitrine serve"))
            let file = try await VitrineProcess.run(["import", "online-retail", "/nowhere.csv", "--data", path])
            #expect(file.status != 0 && file.output.contains("cannot be read"))
            let speed = try await VitrineProcess.run(["replay", "/nowhere.csv"])
            #expect(speed.status != 0 && speed.output.contains("--as-fast-as-possible"))
            let directory = try await VitrineProcess.run(["serve", "--data", "/proc/nothing"])
            #expect(directory.status != 0 && directory.output.contains("VITRINE_DATA"))
            let process = try VitrineProcess(["serve", "--data", path], environment: ["VITRINE_PORT": "http"])
            #expect(try await process.exitStatus() != 0)
            #expect(process.output.contains("VITRINE_PORT takes a number"))
            let help = try await VitrineProcess.run(["--help"])
            #expect(help.output.contains("vitrine demo"))
        }
    }
}
