// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Python with what the test command fetches from PyPI; CI always has it.
package enum Python {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    package static let program = root.appending(path: ".build/venv/bin/python").path

    package static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    /// Of a script of `Tests/Peers`.
    package static func path(of script: String) -> String { root.appending(path: "Tests/Peers/\(script)").path }

    package static func process(_ script: String, _ arguments: [String] = []) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = [path(of: script)] + arguments
        return process
    }

    /// Runs a script of `Tests/Peers` to its end.
    package static func run(
        _ script: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String, errors: String) {
        let process = process(script, arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // Read on threads of their own, so that neither pipe fills while the other is read, and no task waits in a read.
        async let written = output.fileHandleForReading.allText()
        async let complaints = errors.fileHandleForReading.allText()
        let (text, errorText) = await (written, complaints)
        process.waitUntilExit()
        return (process.terminationStatus, text, errorText)
    }
}

extension FileHandle {
    fileprivate func allText() async -> String {
        await withCheckedContinuation { continuation in
            let handle = self
            Thread { continuation.resume(returning: String(decoding: handle.readDataToEndOfFile(), as: UTF8.self)) }
                .start()
        }
    }
}
