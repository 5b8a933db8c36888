// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Identity
internal import Inventory
internal import Ordering
internal import Persistence

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check configuration, storage, and the books against each other.",
        discussion: "Exit status 0 when all is well, 1 when something is not; each finding is a line.")

    @OptionGroup var location: LocationOptions

    @Option(name: .long, help: "A hash of the audit log that was noted before; its chain must still have it.")
    var auditHead: String?

    func run() async throws {
        let configuration = try location.configuration()
        Terminal.say("ok    configuration")
        guard configuration.databaseURL != nil || FileManager.default.fileExists(atPath: configuration.databasePath)
        else {
            Terminal.say(
                "bad   storage: there is no shop in \(configuration.dataDirectory). Start one with vitrine serve.")
            throw ExitCode.failure
        }
        let shop = try await Shop.open(configuration)
        let findings = try await shop.database.read { connection in
            try connection.storageFaults() + [
                ("stock against movements and reservations", try shop.inventory.audit(in: connection)),
                ("orders against the sales ledger", try shop.ordering.audit(in: connection)),
            ]
        }
        let audit = try await shop.database.read { [auditHead] in
            try shop.identity.audit(knownHead: auditHead, in: $0)
        }
        for (name, faults) in findings {
            if faults.isEmpty { Terminal.say("ok    \(name)") }
            for fault in faults { Terminal.say("bad   \(name): \(fault)") }
        }
        if audit.faults.isEmpty {
            let forgotten = audit.forgotten > 0 ? " after number \(audit.forgotten), up to which they were let go" : ""
            Terminal.say("ok    audit log: \(audit.count) entries\(forgotten), head \(audit.head ?? "none")")
        }
        for fault in audit.faults { Terminal.say("bad   audit log: \(fault)") }
        await shop.database.close()
        if !audit.faults.isEmpty { throw ExitCode.failure }
        if findings.contains(where: { !$0.1.isEmpty }) { throw ExitCode.failure }
    }
}
