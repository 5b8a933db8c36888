// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// When each table was last changed, so that what was made of its rows can be known to be up to date.
///
/// Time here is a count of changes. Whoever keeps something takes ``now`` before reading; it is current as long as no table
/// it was made of has changed after that. A change counts once it is durable and before its caller learns of it, so nobody
/// who has changed something is shown what was before. Changes of other processes count as soon as the engine hears of
/// them.
package final class TableVersions: Sendable {
    /// The last change of one table.
    package final class Table: Sendable {
        fileprivate let changedAt = Atomic(0)

        package func isUnchanged(since moment: Int) -> Bool { changedAt.load(ordering: .acquiring) <= moment }
    }

    private let clock = Atomic(0)
    private let tables = Mutex<[String: Table]>([:])

    package init() {}

    package var now: Int { clock.load(ordering: .acquiring) }

    /// The table, watched from now on.
    package func table(_ name: String) -> Table {
        tables.withLock { tables in
            if let known = tables[name] { return known }
            let table = Table()
            tables[name] = table
            return table
        }
    }

    var watched: Set<String> { tables.withLock { Set($0.keys) } }

    func noteChange(of names: Set<String>) {
        guard !names.isEmpty else { return }
        // In one step, so that a later change is never overwritten by an earlier one.
        tables.withLock { tables in
            let moment = clock.load(ordering: .relaxed) + 1
            for name in names { tables[name]?.changedAt.store(moment, ordering: .releasing) }
            // Last, so that whoever sees this moment sees all that changed in it.
            clock.store(moment, ordering: .releasing)
        }
    }

    /// For when it is not known what has changed.
    func noteChangeOfAll() { noteChange(of: watched) }
}

extension SQL {
    /// The table that the statement changes; `nil` for a read.
    var changedTable: Substring? {
        let words = text.unicodeScalars.split(maxSplits: 3, whereSeparator: { $0 == " " || $0 == "\n" })
        guard words.count >= 2 else { return nil }
        switch words[0].first {
        case "U" where Substring(words[0]) == "UPDATE": return Substring(words[1])
        case "I" where Substring(words[0]) == "INSERT", "D" where Substring(words[0]) == "DELETE":
            return words.count > 2 ? Substring(words[2]) : nil
        default: return nil
        }
    }
}
