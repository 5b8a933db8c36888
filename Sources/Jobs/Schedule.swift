// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import ServiceLifecycle
internal import Tracing

/// A chore that comes round again. It must do no harm when two processes do it at once.
package struct Schedule: Sendable {
    package let name: String
    package let period: Duration
    package let work: @Sendable () async throws -> Void

    package init(_ name: String, every period: Duration, work: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.period = period
        self.work = work
    }
}

/// Runs every chore at its period, beginning at once. One that fails is tried again sooner.
struct ScheduleRunner: Service {
    let schedules: [Schedule]
    let supervision: Supervision

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                for schedule in schedules {
                    group.addTask {
                        await supervision.run("chore \(schedule.name)", pauseMax: schedule.period) {
                            try await repeatedly(schedule)
                        }
                    }
                }
            }
        }
    }

    private func repeatedly(_ schedule: Schedule) async throws {
        let (done, failed) = (Self.timer(schedule, "done"), Self.timer(schedule, "failed"))
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                try await withSpan("chore \(schedule.name)", context: .topLevel) { _ in try await schedule.work() }
                done.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
            } catch {
                if !Task.isCancelled { failed.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds) }
                throw error
            }
            try await Task.sleep(for: schedule.period)
        }
    }

    private static func timer(_ schedule: Schedule, _ outcome: String) -> Timer {
        Timer(label: "vitrine.chore.duration", dimensions: [("chore", schedule.name), ("outcome", outcome)])
    }
}
