// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import TestSupport

@testable import Vitrine

/// The real program in a process of its own, so that it can be killed.
final class VitrineProcess: Sendable {
    private let process: Mutex<Process>
    private let lines = Mutex<[String]>([])
    private let ended = Mutex(false)

    /// The program that the suite builds; `VITRINE_BINARY` names another, such as the release build.
    static var binary: String {
        if let path = ProcessInfo.processInfo.environment["VITRINE_BINARY"], !path.isEmpty { return path }
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appending(path: ".build/debug/vitrine").path
    }

    convenience init(_ arguments: [String], environment: [String: String] = [:]) throws {
        let child = Process()
        child.executableURL = URL(filePath: Self.binary)
        child.arguments = arguments
        child.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        try self.init(running: child)
    }

    /// Another program, to be read in the same way.
    init(running child: Process) throws {
        let pipe = Pipe()
        child.standardOutput = pipe
        child.standardError = pipe
        process = Mutex(child)
        try child.run()
        // A thread that reads to the end: a readability handler has once not been told of it.
        Thread { [self] in read(pipe.fileHandleForReading) }.start()
    }

    private func read(_ handle: FileHandle) {
        while true {
            let data = handle.availableData
            if data.isEmpty { return ended.withLock { $0 = true } }
            let parts = String(decoding: data, as: UTF8.self).components(separatedBy: "\n")
            lines.withLock { lines in
                if lines.isEmpty { lines.append("") }
                lines[lines.count - 1] += parts[0]
                lines += parts.dropFirst()
            }
        }
    }

    var output: String { lines.withLock { $0.joined(separator: "\n") } }

    /// Waits for a line that contains `text`, and gives what matches `pattern` in all output.
    func wait(for text: String, within limit: Duration = .seconds(60)) async throws {
        let end = ContinuousClock.now + limit
        while !output.contains(text) {
            guard ContinuousClock.now < end, !(ended.withLock { $0 }) || output.contains(text) else {
                throw Failure(.timedOut, "“\(text)” did not appear in: \(output)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func kill() { process.withLock { _ = Glibc.kill($0.processIdentifier, SIGKILL) } }
    /// The most memory that it has held, in bytes.
    var peakMemory: Int? {
        let path = "/proc/\(process.withLock { $0.processIdentifier })/status"
        let line = try? String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").first {
            $0.hasPrefix("VmHWM:")
        }
        return line?.split(separator: " ").dropLast().last.flatMap { Int($0) }.map { $0 << 10 }
    }

    func interrupt() { process.withLock { _ = Glibc.kill($0.processIdentifier, SIGINT) } }

    /// Waits for the end and gives the exit status.
    func exitStatus(within limit: Duration = .seconds(60)) async throws -> Int32 {
        let end = ContinuousClock.now + limit
        while process.withLock({ $0.isRunning }) {
            guard ContinuousClock.now < end else {
                kill()
                throw Failure(.timedOut, "The process did not end. Its output: \(output)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return process.withLock { $0.terminationStatus }
    }

    /// Runs a command to its end.
    static func run(_ arguments: [String], within limit: Duration = .seconds(600)) async throws -> (
        status: Int32, output: String
    ) {
        let process = try VitrineProcess(arguments)
        let status = try await process.exitStatus(within: limit)
        // The last lines may still be in the pipe.
        while !process.ended.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
        return (status, process.output)
    }

    /// Starts a shop on a free port and waits until it listens.
    static func serve(
        _ directory: String, database: String? = nil, port: Int = 0, environment: [String: String] = [:]
    ) async throws -> (VitrineProcess, ShopAddress, key: String) {
        let storage = database.map { ["--database", $0] } ?? ["--data", directory]
        let process = try VitrineProcess(["serve"] + storage + ["--port", String(port)], environment: environment)
        try await process.wait(for: "listens on http://")
        let output = process.output
        guard let port = output.firstMatch(of: #/listens on http:\/\/127\.0\.0\.1:(\d+)/#).flatMap({ Int($0.1) }) else {
            throw Failure(.corrupt, "There is no port in: \(output)")
        }
        return (
            process, ShopAddress(host: "127.0.0.1", port: port),
            output.firstMatch(of: #/(vk_[\w-]+)/#).map { String($0.1) } ?? ""
        )
    }
}
