// SPDX-License-Identifier: Apache-2.0

import Synchronization
import TestSupport
import Testing

@testable import Resilience

@Suite struct SupervisorTests {
    @Test func `pauses double up to a bound, and are short again after a time in which all was well`() {
        var settings = SupervisorSettings()
        settings.pauseMax = .seconds(1)
        var state = SupervisorState(settings)
        var (now, pauses): (Int64, [Duration]) = (0, [])
        for _ in 0..<6 {
            state.began(now)
            now += 1_000_000_000
            pauses.append(state.failed(now, jitter: 0.5))
            #expect(!state.isWell(now))
        }
        #expect(pauses == [100, 200, 400, 800, 1_000, 1_000].map { .milliseconds($0) })
        state.began(now)
        #expect(!state.isWell(now + 59_000_000_000) && state.isWell(now + 60_000_000_000))
        #expect(state.failed(now + 60_000_000_000, jitter: 0) == .milliseconds(90))
    }

    @Test func `what fails is begun again until it returns, and says so meanwhile`() async {
        let pauses = Mutex<[Duration]>([])
        let faults = Mutex<[String?]>([])
        let supervisor = Supervisor("relay", now: { 0 }, sleep: { pause in pauses.withLock { $0.append(pause) } })
        #expect(supervisor.fault == nil)
        var runs = 0
        await supervisor.run {
            runs += 1
            faults.withLock { $0.append(supervisor.fault) }
            if runs < 4 { throw Unwell() }
        }
        #expect(runs == 4 && pauses.withLock { $0.count } == 3)
        #expect(faults.withLock { $0.map { $0 != nil } } == [false, true, true, true])
        #expect(supervisor.fault?.contains("relay failed") == true)
    }

    @Test func `who is cancelled is not begun again`() async {
        let supervisor = Supervisor("relay")
        let (beginnings, begun) = AsyncStream.makeStream(of: Void.self)
        let count = await withTaskGroup { group in
            group.addTask {
                await supervisor.run {
                    begun.yield()
                    try await Task.sleep(for: .seconds(60))
                }
                begun.finish()
            }
            var count = 0
            for await _ in beginnings {
                count += 1
                group.cancelAll()
            }
            return count
        }
        #expect(count == 1 && supervisor.fault == nil)
    }

    private struct Unwell: Error {}
}
