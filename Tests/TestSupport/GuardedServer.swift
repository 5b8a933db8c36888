// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization

/// A server in a folder of its own, kept by a shell that ends it and removes the folder when our end of its input closes,
/// however we end.
final class GuardedServer: Sendable {
    let directory: TestDirectory
    private let shell: Mutex<Process>

    /// `script` begins in the folder, defines `stop` and whatever else it is to be told, and starts the server.
    init(in directory: TestDirectory, _ script: String) throws {
        self.directory = directory
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = [
            "-c",
            """
            set -e
            stop() { true; }
            trap "stop || true; rm -rf '\(directory.path)'" EXIT
            cd '\(directory.path)'
            \(script)
            while read -r command; do $command; done
            """,
        ]
        process.standardInput = Pipe()
        process.standardOutput = FileHandle.nullDevice
        shell = Mutex(process)
        try process.run()
    }

    /// Has the shell run one of the script's functions.
    func tell(_ command: String) {
        shell.withLock { shell in
            (shell.standardInput as? Pipe)?.fileHandleForWriting.write(Data("\(command)\n".utf8))
        }
    }

    /// Ends the server for good.
    func stop() {
        shell.withLock { shell in
            (shell.standardInput as? Pipe)?.fileHandleForWriting.closeFile()
            shell.waitUntilExit()
        }
    }

    /// - Throws: `Failure` with `timedOut` where it has not become so within a minute.
    func wait(until isDone: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        while try !isDone() {
            guard ContinuousClock.now < end else { throw Failure(.timedOut, "The server did not do as it was told.") }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    /// Whether somebody takes connections at a port of this machine.
    static func isListening(on port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
