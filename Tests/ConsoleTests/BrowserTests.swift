// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

/// The pages in a real browser, in front of the program itself.
struct BrowserTests {
    private static let isPossible =
        Python.isInstalled && FileManager.default.isExecutableFile(atPath: "/usr/bin/chromium")

    @Test(.enabled("apt-get install chromium, and make test for its driver") { isPossible })
    func `in light and dark, on a phone, by keyboard, live and without scripts, nothing is wrong`() async throws {
        try await TestObservatory.run { observatory in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Self.keepMetrics(of: observatory) }
                let address = "http://127.0.0.1:\(observatory.port)"
                let (status, output, errors) = try await Python.run("console.py", [address])
                #expect(status == 0, "\(output.suffix(4_000)) \(errors.suffix(2_000))")
                group.cancelAll()
            }
        }
    }

    /// As `vitrine observe` does.
    private static func keepMetrics(of observatory: TestObservatory) async throws {
        let store = observatory.store
        while !Task.isCancelled {
            let now = Int64(Date().timeIntervalSince1970 * 1_000)
            _ = try await store.append(store.spanMetrics.samples(at: now, interval: 1_000))
            _ = try await store.append(store.serviceGraph.samples(at: now, interval: 1_000))
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
