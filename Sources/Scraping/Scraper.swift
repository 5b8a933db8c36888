// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Logging
internal import ServiceLifecycle
internal import Synchronization
package import Telemetry

/// Scrapes the targets of its jobs for as long as it runs.
package struct Scraper: Service {
    /// How a target is, for people.
    package struct Report: Sendable {
        package let job: String
        package let url: String
        package let labels: LabelSet
        /// Why it counts as down; empty where it is up.
        package let fault: String
        /// Milliseconds since 1970; 0 before the first scrape.
        package let lastScrape: Int64
        /// Seconds.
        package let took: Double
    }

    package typealias Write = @Sendable (SampleBatch, [String: MetricMetadata]) async throws -> Void

    private let jobs: [ScrapeJob]
    private let write: Write
    private let reports = ReportTable()
    /// How often targets are looked for again.
    private static let discoveryInterval = Duration.seconds(30)
    private static let logger = Logger(label: "vitrine.scraper")

    /// `write` is given what each scrape brings.
    package init(_ jobs: [ScrapeJob], write: @escaping Write) { (self.jobs, self.write) = (jobs, write) }

    package var targets: [Report] { reports.all }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                for job in jobs { group.addTask { await run(job) } }
            }
        }
    }

    /// Keeps one task for each target of a job, begins those that are new and ends those that are gone.
    private func run(_ job: ScrapeJob) async {
        guard let targetSteps = try? Relabelling(job.targetSteps), let sampleSteps = try? Relabelling(job.sampleSteps)
        else { return }
        let client = ScrapeClient(job)
        var (known, running) = ([String: [LabelSet]](), [Target: Leash]())
        await withTaskGroup { group in
            while !Task.isCancelled {
                let found = (try? AddressBook.targets(of: job, targetSteps, &known)) ?? []
                for (target, leash) in running where !found.contains(target) {
                    leash.release()
                    running[target] = nil
                }
                for target in found where running[target] == nil {
                    let leash = Leash()
                    running[target] = leash
                    group.addTask { await follow(target, of: job, client, sampleSteps, leash) }
                }
                guard (try? await Task.sleep(for: min(Self.discoveryInterval, max(.seconds(1), job.interval)))) != nil
                else { return }
            }
        }
    }

    private func follow(
        _ target: Target, of job: ScrapeJob, _ client: ScrapeClient, _ steps: Relabelling, _ leash: Leash
    ) async {
        var state = ScrapeState(job, target, steps)
        // Spread over the interval, and for each target at the same place in it again.
        let clock = ContinuousClock()
        var next =
            clock.now + job.interval
            * (Double(target.url.utf8.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) } % 1_000) / 1_000)
        while (try? await clock.sleep(until: next)) != nil, !leash.isReleased {
            await scrape(target, of: job, client, &state)
            next += job.interval
            if next < clock.now { next = clock.now + job.interval }
        }
        reports.remove(target)
        guard leash.isReleased else { return }
        await keep(state.removed(at: Self.now()), [:])
    }

    private func scrape(
        _ target: Target, of job: ScrapeJob, _ client: ScrapeClient, _ state: inout ScrapeState
    ) async {
        let (time, begin) = (Self.now(), ContinuousClock.now)
        func seconds() -> Double { Double((ContinuousClock.now - begin).wholeNanoseconds) / 1e9 }
        let outcome: ScrapeState.Outcome
        do {
            let exposition = try await client.get(target.url)
            outcome = state.scraped(exposition, at: time, took: seconds())
        } catch {
            if Task.isCancelled { return }
            outcome = state.failed("\(error)", at: time, took: seconds())
        }
        reports.note(
            target,
            Report(
                job: job.name, url: target.url, labels: target.labels, fault: outcome.fault ?? "", lastScrape: time,
                took: seconds()))
        await keep(outcome.batch, outcome.metadata)
    }

    private func keep(_ batch: SampleBatch, _ metadata: [String: MetricMetadata]) async {
        do { try await write(batch, metadata) } catch {
            Self.logger.warning("What was scraped cannot be kept", metadata: ["error": "\(error)"])
        }
    }

    private static func now() -> Int64 { Int64(UnixTime.now() / 1_000_000) }
}

/// Tells the task of a target that the target is gone.
private final class Leash: Sendable {
    private let released = Atomic(false)
    var isReleased: Bool { released.load(ordering: .acquiring) }
    func release() { released.store(true, ordering: .releasing) }
}

private final class ReportTable: Sendable {
    private let reports = Mutex<[Target: Scraper.Report]>([:])

    var all: [Scraper.Report] {
        reports.withLock { $0.values.sorted { ($0.job, $0.url) < ($1.job, $1.url) } }
    }

    func note(_ target: Target, _ report: Scraper.Report) { reports.withLock { $0[target] = report } }
    func remove(_ target: Target) { reports.withLock { $0[target] = nil } }
}
