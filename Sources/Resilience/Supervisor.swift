// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Logging
internal import Synchronization
internal import Tracing

/// How a supervisor begins again what has failed.
public struct SupervisorSettings: Sendable {
    /// The pause after the first failure; it doubles with each that follows, and a tenth is drawn. Default 100 ms.
    public var firstPause: Duration = .milliseconds(100)
    /// Default 30 s.
    public var pauseMax: Duration = .seconds(30)
    /// What has run so long is well again: the next failure is a first one. Default 60 s.
    public var wellAfter: Duration = .seconds(60)

    public init() {}
}

/// The rules of a supervisor, without clock or task. Times are nanoseconds of a clock that never goes back.
struct SupervisorState: Sendable {
    private let settings: SupervisorSettings
    private var begunAt: Int64?
    /// One after the other, without a time in which it was well.
    private(set) var failures = 0

    init(_ settings: SupervisorSettings) { self.settings = settings }

    mutating func began(_ now: Int64) { begunAt = now }

    /// Whether it has not failed, or runs again for long enough.
    func isWell(_ now: Int64) -> Bool {
        failures == 0 || begunAt.map { now - $0 >= settings.wellAfter.wholeNanoseconds } ?? false
    }

    /// - Returns: how long to wait before it is begun again.
    mutating func failed(_ now: Int64, jitter: Double) -> Duration {
        if isWell(now) { failures = 0 }
        begunAt = nil
        failures += 1
        let pause = min(settings.pauseMax, settings.firstPause * (1 << min(failures - 1, 20)))
        return pause * (0.9 + 0.2 * jitter)
    }
}

/// Keeps work that is done in the background going: what fails is begun again, after pauses that grow, as long as the process
/// lives. It never gives up, because a shop without its background work is worse than one that tries; it says so instead.
///
/// Each restart is counted and logged, and ``fault`` tells health.
public final class Supervisor: Sendable {
    public let name: String
    private let state: Mutex<(rules: SupervisorState, lastFault: String)>
    private let now: MonotonicTime.Source
    private let sleep: @Sendable (Duration) async throws -> Void
    private let logger = Logger(label: "resilience.supervisor")
    private let restarts: Counter
    private let isUp: Gauge

    public init(
        _ name: String, _ settings: SupervisorSettings = .init(),
        now: @escaping MonotonicTime.Source = MonotonicTime.system,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.name = name
        self.now = now
        self.sleep = sleep
        state = Mutex((SupervisorState(settings), ""))
        restarts = Counter(label: "resilience.supervisor.restarts", dimensions: [("name", name)])
        isUp = Gauge(label: "resilience.supervisor.up", dimensions: [("name", name)])
    }

    /// Why the work does not run just now, or has only just been begun again; `nil` while it is well.
    public var fault: String? {
        let now = now()
        return state.withLock { $0.rules.isWell(now) ? nil : $0.lastFault }
    }

    /// Runs `work` until it returns or the task is cancelled; what it throws begins it again.
    public func run(_ work: () async throws -> Void) async {
        while !Task.isCancelled {
            let start = now()
            state.withLock { $0.rules.began(start) }
            isUp.record(1)
            do {
                try await work()
                break
            } catch is CancellationError where Task.isCancelled {
                break
            } catch {
                let pause = failed(error)
                guard (try? await sleep(pause)) != nil else { break }
                restarts.increment()
            }
        }
        isUp.record(0)
    }

    private func failed(_ error: any Error) -> Duration {
        isUp.record(0)
        let now = now()
        let (pause, failures) = state.withLock { state in
            state.lastFault = "\(name) failed: \(error)"
            return (state.rules.failed(now, jitter: .random(in: 0...1)), state.rules.failures)
        }
        logger.error(
            "Background work failed and is begun again",
            metadata: ["name": "\(name)", "error": "\(error)", "pause": "\(pause)", "failures": "\(failures)"])
        let span = startSpan("supervisor restart", context: .topLevel)
        span.attributes["resilience.supervisor.name"] = name
        span.recordError(error)
        span.end()
        return pause
    }
}
