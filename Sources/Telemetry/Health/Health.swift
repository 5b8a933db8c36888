// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
public import ServiceLifecycle
internal import Synchronization

/// Whether a process is alive, ready for work, and what it depends on.
///
/// Dependencies are asked in the background, so that a probe costs nothing and cannot overload what it asks about.
public final class Health: Service, Sendable {
    /// Something the process needs.
    public struct Dependency: Sendable {
        public let name: String
        /// Whether the process can do nothing without it.
        public let isRequired: Bool
        let check: @Sendable () async throws -> Void

        /// `check` throws where the dependency does not answer as it should.
        public init(_ name: String, isRequired: Bool, check: @escaping @Sendable () async throws -> Void) {
            self.name = name
            self.isRequired = isRequired
            self.check = check
        }
    }

    /// What was found out about a dependency.
    public struct Finding: Sendable {
        public let name: String
        public let isRequired: Bool
        /// `nil` until it was asked once.
        public internal(set) var isUp: Bool?
        /// How long the last answer took.
        public internal(set) var latency = Duration.zero
        /// Nanoseconds since 1970 at which it became what it is.
        public internal(set) var since: UInt64 = 0
        /// What was wrong last, and stays when it is up again.
        public internal(set) var lastError: String?
        /// Since when a check has not come back.
        fileprivate var askedAt: ContinuousClock.Instant?
    }

    public enum Status: String, Sendable {
        /// Everything answers.
        case pass
        /// Something answers not, and work goes on without it.
        case warn
        case fail
    }

    private enum Phase { case starting, running, stopping }

    private let dependencies: [Dependency]
    private let interval: Duration
    private let timeMax: Duration
    private let state: Mutex<(phase: Phase, findings: [Finding])>

    /// `interval` lies between two checks, default 5 s; a check that takes longer than `timeMax`, default 2 s, has failed.
    public init(
        _ dependencies: [Dependency], every interval: Duration = .seconds(5), timeMax: Duration = .seconds(2),
        metrics: MetricRegistry? = nil
    ) {
        self.dependencies = dependencies
        self.interval = interval
        self.timeMax = timeMax
        state = Mutex((.starting, dependencies.map { Finding(name: $0.name, isRequired: $0.isRequired) }))
        metrics.map(install)
    }

    public static let descriptions = [
        MetricDescription(
            "vitrine.health.dependency.up", .gauge, unit: "", labels: ["dependency"],
            "1 where the dependency answered its last check, else 0."),
        MetricDescription(
            "vitrine.health.dependency.latency", .gauge, unit: "s", labels: ["dependency"],
            "How long the last check of the dependency took."),
    ]

    private func install(in registry: MetricRegistry) {
        registry.beforeReading { [weak self] registry in
            // What has not been asked yet is neither up nor down.
            for finding in self?.findings ?? [] where finding.isUp != nil {
                let labels = [("dependency", finding.name)]
                registry.makeMeter(label: "vitrine.health.dependency.up", dimensions: labels)
                    .set(finding.isUp == true ? Int64(1) : 0)
                registry.makeMeter(label: "vitrine.health.dependency.latency", dimensions: labels)
                    .set(finding.latency / .seconds(1))
            }
        }
    }

    public var findings: [Finding] { state.withLock { current($0.findings) } }

    /// A check that cannot be cancelled may never come back. It counts as failed as soon as it is overdue.
    private func current(_ findings: [Finding]) -> [Finding] {
        findings.map { finding in
            guard let askedAt = finding.askedAt, ContinuousClock.now - askedAt > timeMax * 2 else { return finding }
            var overdue = finding
            overdue.isUp = false
            overdue.latency = ContinuousClock.now - askedAt
            overdue.lastError = "It has not answered for \(overdue.latency)."
            return overdue
        }
    }

    /// Whether requests should be sent here.
    public var readiness: Status {
        state.withLock { state in
            guard state.phase == .running else { return .fail }
            let findings = current(state.findings)
            if findings.contains(where: { $0.isRequired && $0.isUp != true }) { return .fail }
            return findings.contains { $0.isUp != true } ? .warn : .pass
        }
    }

    /// Checks until the process is told to end; from then on it is not ready.
    public func run() async throws {
        await check()
        state.withLock { $0.phase = .running }
        try? await withGracefulShutdownHandler {
            try await cancelWhenGracefulShutdown {
                while true {
                    try await Task.sleep(for: self.interval)
                    await self.check()
                }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.phase = .stopping }
        }
    }

    /// Asks every dependency now.
    public func check() async {
        state.withLock { state in
            for place in state.findings.indices { state.findings[place].askedAt = .now }
        }
        await withTaskGroup(of: (Int, Duration, String?).self) { group in
            for (place, dependency) in dependencies.enumerated() {
                group.addTask {
                    let start = ContinuousClock.now
                    let error = await self.fault(of: dependency)
                    return (place, ContinuousClock.now - start, error)
                }
            }
            for await (place, latency, error) in group {
                state.withLock { state in
                    let isUp = error == nil
                    state.findings[place].askedAt = nil
                    if state.findings[place].isUp != isUp { state.findings[place].since = UnixTime.now() }
                    state.findings[place].isUp = isUp
                    state.findings[place].latency = latency
                    state.findings[place].lastError = error ?? state.findings[place].lastError
                }
            }
        }
    }

    private func fault(of dependency: Dependency) async -> String? {
        let timeMax = timeMax
        return await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    try await dependency.check()
                    return nil
                } catch {
                    let text = String(describing: error)
                    return Redaction.redacted(text) ?? text
                }
            }
            group.addTask {
                do { try await Task.sleep(for: timeMax) } catch { return nil }
                return "It did not answer within \(timeMax)."
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    // MARK: On the wire

    public static let contentType = "application/health+json"

    /// What a probe of readiness is answered: `fail` with 503.
    public func readinessReport() -> (status: Int, body: [UInt8]) {
        let readiness = readiness
        return (readiness == .fail ? 503 : 200, Array("{\"status\":\"\(readiness.rawValue)\"}\n".utf8))
    }

    /// Everything that is known, in the health check format (draft-inadarei-api-health-check-06).
    public func report() -> (status: Int, body: [UInt8]) {
        let readiness = readiness
        let checks = findings.map { finding -> Attribute in
            let isPassing = finding.isUp == true
            var facts = [
                Attribute("status", .string(isPassing ? "pass" : finding.isRequired ? "fail" : "warn")),
                Attribute("required", .bool(finding.isRequired)),
                Attribute("observedValue", .double((finding.latency / .milliseconds(1) * 1_000).rounded() / 1_000)),
                Attribute("observedUnit", .string("ms")), Attribute("since", .string(Time.text(finding.since))),
            ]
            if let error = finding.lastError {
                facts.append(Attribute(isPassing ? "lastError" : "output", .string(error)))
            }
            return Attribute(finding.name, .array([.map(facts)]))
        }
        let body = LogLine.object([Attribute("status", .string(readiness.rawValue)), Attribute("checks", .map(checks))])
        return (readiness == .fail ? 503 : 200, body + [UInt8(ascii: "\n")])
    }
}
