// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import Vitrine

/// The engine on which the shops of a test run stand: `VITRINE_TEST_ENGINE=postgres` puts them on Postgres.
package enum TestEngine: Sendable {
    case sqlite
    case postgres

    package static let current: TestEngine =
        ProcessInfo.processInfo.environment["VITRINE_TEST_ENGINE"] == "postgres" ? .postgres : .sqlite

    /// The engines that this machine has.
    package static let available: [TestEngine] = TestPostgres.isInstalled ? [.sqlite, .postgres] : [.sqlite]

    /// - Returns: where an empty database lies; `nil` on SQLite, whose file lies in the data directory.
    package func freshDatabase() throws -> String? {
        switch self {
        case .sqlite: nil
        case .postgres: try TestPostgres.shared.get().freshDatabase()
        }
    }
}

/// A real Postgres server in a folder and on a port of its own, for as long as the test run.
package final class TestPostgres: Sendable {
    package static let shared = Result { try TestPostgres() }

    /// Whether this machine has a server to start; CI always has.
    package static var isInstalled: Bool { programs != nil }

    package let port: Int
    private let options: String
    private let server: GuardedServer
    private let number = Atomic(0)

    private static let programs: String? = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return versions.compactMap { Int($0) }.max().map { "/usr/lib/postgresql/\($0)/bin" }
    }()

    /// Postgres refuses to be root.
    private static let user =
        getuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups " : ""

    /// `settings` are passed on, such as `-c fsync=off`. With `primary`, the server is a replica of that one.
    package init(settings: String = "", replicaOf primary: TestPostgres? = nil) throws {
        guard let programs = Self.programs else {
            throw Failure(.misconfigured, "Postgres is not installed: apt-get install postgresql")
        }
        let directory = try TestDirectory()
        port = FreePort.find()
        options =
            "-p \(port) -k '\(directory.path)' -c listen_addresses=127.0.0.1 -c max_connections=300 "
            + "-c log_min_messages=fatal \(settings)"
        let user = Self.user
        let fill =
            primary.map { "pg_basebackup -h 127.0.0.1 -p \($0.port) -U vitrine -D data -R -c fast --no-sync" }
            ?? "initdb -D data -U vitrine -A trust --no-sync"
        server = try GuardedServer(
            in: directory,
            """
            \(user.isEmpty ? "" : "chown postgres .")
            \(user)\(programs)/\(fill) >initdb.log
            start() { \(user)\(programs)/postgres -D data \(options) >>server.log 2>&1 & }
            stop() { \(user)\(programs)/pg_ctl -D data -m immediate stop >/dev/null 2>&1 || true; }
            start
            """)
        try server.wait { try psql("postgres", "SELECT 1") == 0 }
    }

    package func freshDatabase() throws -> String {
        let name = "test_\(number.wrappingAdd(1, ordering: .relaxed).newValue)"
        guard try psql("postgres", "CREATE DATABASE \(name)") == 0 else {
            throw Failure(.unavailable, "The database \(name) cannot be made.")
        }
        return url(name)
    }

    package func url(_ database: String) -> String { "postgres://vitrine@127.0.0.1:\(port)/\(database)" }

    @discardableResult
    package func psql(_ database: String, _ command: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: (Self.programs ?? "") + "/psql")
        process.arguments = ["-q", "-X", "-v", "ON_ERROR_STOP=1", "-c", command, url(database)]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Ends the server as a crash would.
    package func crash() throws {
        server.tell("stop")
        try server.wait { try psql("postgres", "SELECT 1") != 0 }
    }

    /// Starts it again on its port.
    package func restart() throws {
        server.tell("start")
        try server.wait { try psql("postgres", "SELECT 1") == 0 }
    }

    /// Ends the server for good.
    package func stop() { server.stop() }
}
