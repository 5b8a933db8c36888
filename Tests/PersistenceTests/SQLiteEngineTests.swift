// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import Persistence

struct SQLiteEngineTests {
    @Test func `a file that is no database is told at opening`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let path = directory.path + "/junk.sqlite"
        try String(repeating: "this is no database ", count: 400).write(toFile: path, atomically: true, encoding: .utf8)
        let error = #expect(throws: DatabaseError.self) { try SQLiteEngine(.init(path: path)) }
        #expect(error?.kind == .corrupt)
    }
}
