// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle

/// How late the event loops and the tasks' threads come to work that is due: what every request waits before anything is done
/// for it.
struct RuntimeDelays: Service {
    private static let interval = Duration.milliseconds(100)

    func run() async throws {
        let loops = MultiThreadedEventLoopGroup.singleton.makeIterator().map { $0 }
        let loopDelay = Timer(label: "vitrine.runtime.event_loop.delay")
        let taskDelay = Timer(label: "vitrine.runtime.task.delay")
        await cancelWhenGracefulShutdown {
            while true {
                let due = ContinuousClock.now + Self.interval
                guard (try? await Task.sleep(until: due, clock: .continuous)) != nil else { return }
                taskDelay.recordNanoseconds((ContinuousClock.now - due).wholeNanoseconds)
                for loop in loops {
                    let asked = ContinuousClock.now
                    loop.execute { loopDelay.recordNanoseconds((ContinuousClock.now - asked).wholeNanoseconds) }
                }
            }
        }
    }
}
