// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Vitrine

/// A real Redis server in a folder and on a port of its own.
package final class TestRedis: Sendable {
    package let port: Int
    private let server: GuardedServer

    private static let program = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Whether this machine has a server to start; CI always has.
    package static var isInstalled: Bool { program != nil }

    /// `settings` are passed on, such as `--requirepass secret`.
    package init(settings: String = "") throws {
        guard let program = Self.program else {
            throw Failure(.misconfigured, "Redis is not installed: apt-get install redis-server")
        }
        port = FreePort.find()
        server = try GuardedServer(
            in: TestDirectory(),
            """
            start() { \(program) --port \(port) --bind 127.0.0.1 --save '' --appendonly no --enable-debug-command local \
            \(settings) >>server.log 2>&1 & server=$!; }
            stop() { kill -9 $server; wait $server || true; }
            freeze() { kill -STOP $server; }
            thaw() { kill -CONT $server; }
            start
            """)
        try server.wait { isListening }
    }

    package var url: String { "redis://127.0.0.1:\(port)" }

    /// Ends the server as a crash would; nothing of what it held is kept.
    package func crash() throws {
        server.tell("stop")
        try server.wait { !isListening }
    }

    /// Starts it again on its port, empty.
    package func restart() throws {
        server.tell("start")
        try server.wait { isListening }
    }

    /// Connections stay, and nothing is answered, as behind a network that has broken.
    package func freeze() { server.tell("freeze") }

    package func thaw() { server.tell("thaw") }

    /// Ends the server for good.
    package func stop() { server.stop() }

    private var isListening: Bool { GuardedServer.isListening(on: port) }
}
