// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Resilience
internal import Synchronization

/// Who works in the background, each on its own: one that fails is begun again after pauses that grow, and holds up nobody.
package final class Supervision: Sendable {
    private let supervisors = Mutex<[String: Supervisor]>([:])

    package init() {}

    /// Runs `work` until the task is cancelled. No pause is longer than `pauseMax`.
    func run(_ name: String, pauseMax: Duration = .seconds(30), _ work: () async throws -> Void) async {
        let supervisor = supervisors.withLock { all in
            if let known = all[name] { return known }
            var settings = SupervisorSettings()
            settings.pauseMax = pauseMax
            let new = Supervisor(name, settings)
            all[name] = new
            return new
        }
        await supervisor.run(work)
    }

    /// Why which work does not get on just now; none where all is well.
    package var faults: [String] { supervisors.withLock { $0.values.compactMap(\.fault).sorted() } }
}
