// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Prometheus' own test scripts for version 2.42. They are no part of the project; the test skips where they are absent.
struct UpstreamScriptTests {
    static var folder: URL? {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let standard = root.appending(path: "../shared/data/promql-2.42").standardized
        let folder = ProcessInfo.processInfo.environment["VITRINE_PROMQL_SCRIPTS"].map { URL(filePath: $0) } ?? standard
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }

    @Test(
        .enabled("Name the folder of Prometheus' test scripts in VITRINE_PROMQL_SCRIPTS") {
            folder != nil
        })
    func `every evaluation of the upstream scripts holds`() throws {
        let folder = try #require(Self.folder)
        var evaluations = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        where name.hasSuffix(".test") {
            var script = QueryScript(.v2)
            try script.run(String(contentsOf: folder.appending(path: name), encoding: .utf8))
            evaluations += script.evaluations
            for failure in script.failures { Issue.record("\(name): \(failure)") }
        }
        #expect(evaluations == 566)
    }
}
