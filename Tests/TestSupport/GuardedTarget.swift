// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Targets that ask who scrapes them, by Python (`Tests/Peers/guarded_target.py`).
package final class GuardedTarget: Sendable {
    package let port: Int
    private let log: String
    private let server: GuardedServer

    /// `folder`, which goes with it, has what the script asks for.
    package init(in folder: TestDirectory) throws {
        let log = folder.path + "/target.log"
        server = try GuardedServer(
            in: folder,
            """
            '\(Python.program)' '\(Python.path(of: "guarded_target.py"))' . >target.log 2>&1 & server=$!
            stop() { kill -9 $server; wait $server || true; }
            """)
        self.log = log
        var port: Int?
        try server.wait {
            port = Self.lines(log).first.flatMap { Int($0) }
            return port != nil
        }
        self.port = port ?? 0
    }

    /// What it has printed.
    package var lines: [String] { Self.lines(log) }

    private static func lines(_ log: String) -> [String] {
        ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    package func stop() { server.stop() }
}
