// SPDX-License-Identifier: Apache-2.0

internal import CLibpq
internal import Foundation
internal import Synchronization

/// Hears which tables other processes have changed.
///
/// The writer says so in the transaction of the change (`NOTIFY`), and the server passes it on at the commit. While nothing
/// can be heard, nothing counts as unchanged.
final class ChangeListener: Sendable {
    private let url: String
    private let versions: TableVersions
    private let isStopped = Atomic(false)

    private static let channel = "vitrine_changes"
    /// How long to wait for news before looking whether to stop, in milliseconds.
    private static let patience: Int32 = 100

    init(url: String, versions: TableVersions) {
        self.url = url
        self.versions = versions
    }

    static func notification(of tables: Set<String>) -> String {
        "NOTIFY \(channel), '\(tables.sorted().joined(separator: " "))'"
    }

    func stop() { isStopped.store(true, ordering: .releasing) }

    func serve() {
        let session = PostgresSession(url: url)
        while !isStopped.load(ordering: .acquiring) {
            do {
                try session.connect()
                try session.script("LISTEN \(Self.channel);")
                versions.noteChangeOfAll()
                while !isStopped.load(ordering: .acquiring) {
                    for tables in try session.notifications(within: Self.patience) {
                        versions.noteChange(of: Set(tables.split(separator: " ").map(String.init)))
                    }
                }
            } catch {
                // Whatever changes now is not heard.
                versions.noteChangeOfAll()
                Thread.sleep(forTimeInterval: Double(Self.patience) / 1_000)
            }
        }
        session.close()
    }
}
