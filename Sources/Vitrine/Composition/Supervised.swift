// SPDX-License-Identifier: Apache-2.0

internal import Resilience
internal import ServiceLifecycle

/// A service that is begun again when it fails, where it would have taken the process with it.
struct Supervised: Service {
    let service: any Service
    let supervisor: Supervisor

    func run() async throws { await supervisor.run { try await service.run() } }

    /// Does not wait for its next beginning when the process ends.
    static func supervisor(_ name: String) -> Supervisor {
        Supervisor(
            name, sleep: { pause in try await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) } })
    }
}
