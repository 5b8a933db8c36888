// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Logging
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

/// Runs every chore at its period, beginning at once. A chore that fails is logged and comes round again.
struct ScheduleRunner: Service {
    let schedules: [Schedule]
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                for schedule in schedules { group.addTask { await repeatedly(schedule) } }
            }
        }
    }

    private func repeatedly(_ schedule: Schedule) async {
        let (done, failed) = (Self.timer(schedule, "done"), Self.timer(schedule, "failed"))
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                try await withSpan("chore \(schedule.name)", context: .topLevel) { _ in try await schedule.work() }
                done.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
            } catch is CancellationError {
                return
            } catch {
                failed.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
                logger.error("A chore failed", metadata: ["chore": "\(schedule.name)", "error": "\(error)"])
            }
            try? await Task.sleep(for: schedule.period)
        }
    }

    private static func timer(_ schedule: Schedule, _ outcome: String) -> Timer {
        Timer(label: "vitrine.chore.duration", dimensions: [("chore", schedule.name), ("outcome", outcome)])
    }
}
