// SPDX-License-Identifier: Apache-2.0

extension Connection {
    /// What the engine itself finds wrong with the data, by what it looked at; a sentence for each fault. Cost on SQLite:
    /// reads everything.
    package func storageFaults() throws -> [(name: String, faults: [String])] {
        switch dialect {
        case .sqlite:
            let pages = try all("PRAGMA integrity_check") { try $0.next(String.self) }.filter { $0 != "ok" }
            let references = try all("PRAGMA foreign_key_check") {
                "a row of \(try $0.next(String.self)) points nowhere"
            }
            return [("storage", pages), ("references", references)]
        case .postgres:
            let indexes = try all(
                "SELECT CAST(indexrelid AS regclass)::text FROM pg_index WHERE NOT indisvalid"
            ) { "the index \(try $0.next(String.self)) is not valid; REINDEX it" }
            let constraints = try all("SELECT conname::text FROM pg_constraint WHERE NOT convalidated") {
                "the constraint \(try $0.next(String.self)) was never validated"
            }
            return [("storage", indexes), ("references", constraints)]
        }
    }
}
