// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Vitrine

/// One shop of several processes, any of which may be killed.
final class ShopFleet: Sendable {
    private struct Member {
        var process: VitrineProcess
        let address: ShopAddress
    }

    private let members: Mutex<[Member]>
    private let directory: TestDirectory
    private let database: String?
    private let environment: [String: String]
    /// The administrator's.
    let key: String

    /// Processes that share `database`, or a directory where there is none.
    init(_ size: Int, database: String? = nil, environment: [String: String]) async throws {
        (self.database, self.environment) = (database, environment)
        directory = try TestDirectory()
        var started: [Member] = []
        var key = ""
        do {
            for _ in 0..<size {
                let (process, address, shown) = try await VitrineProcess.serve(
                    directory.path, database: database, environment: environment)
                started.append(Member(process: process, address: address))
                if !shown.isEmpty { key = shown }
            }
        } catch {
            for member in started { member.process.kill() }
            throw error
        }
        self.key = key
        members = Mutex(started)
    }

    /// One process on SQLite, three on a Postgres that they share. `timeToPay` is in seconds: after that an order that nobody
    /// paid is given up.
    static func of(_ engine: TestEngine, timeToPay: Int, stripe: LocalStripe? = nil) async throws -> ShopFleet {
        try await ShopFleet(
            engine == .sqlite ? 1 : 3, database: try engine.freshDatabase(),
            environment: ["VITRINE_RESERVATION_TTL": String(timeToPay)].merging(stripe?.environment ?? [:]) { $1 })
    }

    /// Where a client may go; another each time.
    var address: ShopAddress { members.withLock { $0[Int.random(in: $0.indices)].address } }

    /// Kills a process without warning and starts it again at its address.
    func killOne() async throws {
        let (place, old) = members.withLock { members in
            let place = Int.random(in: members.indices)
            return (place, members[place])
        }
        old.process.kill()
        _ = try await old.process.exitStatus()
        let (process, _, _) = try await VitrineProcess.serve(
            directory.path, database: database, port: old.address.port, environment: environment)
        members.withLock { $0[place].process = process }
    }

    /// Ends whoever still runs, whatever has become of the test.
    func kill() {
        for member in members.withLock({ $0 }) { member.process.kill() }
    }

    /// Stops everything and checks the books.
    func close() async throws {
        for member in members.withLock({ $0 }) {
            member.process.interrupt()
            #expect(try await member.process.exitStatus() == 0, "\(member.process.output.suffix(500))")
        }
        let storage = database.map { ["--database", $0] } ?? ["--data", directory.path]
        let check = try await VitrineProcess.run(["check"] + storage)
        #expect(check.status == 0, "\(check.output)")
        directory.remove()
    }
}
