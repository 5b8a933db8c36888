// SPDX-License-Identifier: Apache-2.0

internal import Console
internal import Foundation
internal import Identity
internal import Kernel
internal import Logging
internal import OTLP
internal import ObservatoryAPI
internal import Resilience
internal import Scraping
internal import ServiceLifecycle
internal import TLS
internal import Telemetry
internal import TelemetryStore
internal import Web

/// The observatory of one process: the store, what fills it, and what answers from it.
struct Observatory: Sendable {
    let store: SignalStore
    let metadata: MetadataTable
    let server: ObservatoryServer
    let supervisor: Supervisor
    private let scraper: Scraper?

    /// Opens what is kept in `folder`.
    ///
    /// - Throws: `Failure` where the folder cannot be used, or is used by another process.
    init(
        _ settings: ObservatorySettings, jobs: [ScrapeJob], folder: String, host: String, port: Int,
        access: ObservatoryAccess, certificates: Certificates?, longQueryShare: Double? = nil,
        started: @escaping @Sendable (Int) async -> Void
    ) throws {
        let store = try SignalStore(on: FileDisk(locking: folder), settings.store)
        let logger = Logger(label: "vitrine.observatory")
        store.beginUpkeep { error in
            logger.error("Telemetry cannot be tidied up", metadata: ["error": "\(error)"])
        }
        let opened = store.statistics
        if opened.tornBytes > 0 {
            logger.notice(
                "The log of telemetry ends with what was being written when the process or the machine stopped",
                metadata: ["bytes": "\(opened.tornBytes)"])
        }
        for name in opened.damaged {
            logger.error("A part of telemetry is damaged and was set aside", metadata: ["file": "\(name)"])
        }
        let metadata = MetadataTable()
        let scraper = Scraper(jobs) { batch, known in
            metadata.note(known)
            let admission = try await store.append(batch)
            guard admission.refusedCount == 0 else { throw Failure(.overloaded, admission.message) }
        }
        self.scraper = jobs.isEmpty ? nil : scraper
        var listening = ObservatoryServer.Settings()
        (listening.host, listening.port, listening.certificates) = (host, port, certificates)
        listening.longQueryShare = longQueryShare
        listening.steppingAside = { Heap.stepAside() }
        server = ObservatoryServer(
            listening, store: store, metadata: metadata, access: access, version: VitrineCommand.version,
            targets: { scraper.targets },
            pages: { router, ask in
                ConsolePages(version: VitrineCommand.version, isOverTLS: certificates != nil) {
                    Double(UnixTime.now()) / 1e9
                }.mount(on: router, asking: ask)
            }, started: started)
        (self.store, self.metadata) = (store, metadata)
        supervisor = Supervisor(
            "observatory",
            sleep: { pause in try await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) } })
    }

    /// What long queries have of each processor beside a shop that is busy: with 4 and 6 in a hundred, twenty callers who never
    /// stopped made the slowest of a hundred requests 5 % slower (`Benchmarks/RESULTS.md`).
    private static let longQueryShare = 0.03

    /// The one beside a shop; `nil` where there is to be none, or where its folder cannot be used: the shop opens without.
    ///
    /// - Throws: `Failure` with `misconfigured` for a file of scrape jobs that is none.
    static func beside(
        _ shop: Shop, _ process: Signals.Process, _ certificates: Certificates? = nil,
        started: @escaping @Sendable (String) async -> Void
    ) throws -> Observatory? {
        let configuration = shop.configuration
        guard let folder = configuration.telemetryFolder else { return nil }
        let (host, settings) = (configuration.observatory.host ?? configuration.host, configuration.observatory)
        let jobs = try jobs(settings)
        let identity = shop.identity
        let access = ObservatoryAccess(operatorToken: settings.token) { token in
            (try? await identity.authenticate(Credential(token: token)))?.scopes.contains(.readTelemetry) == true
        }
        do {
            return try Observatory(
                settings, jobs: jobs, folder: folder, host: host, port: settings.port, access: access,
                certificates: certificates, longQueryShare: Self.longQueryShare
            ) { port in await started("\(certificates == nil ? "http" : "https")://\(host):\(port)") }
        } catch {
            process.mailbox?.close()
            Logger(label: "vitrine.observatory").error(
                "The observatory does not open", metadata: ["error": "\(error)", "folder": "\(folder)"])
            return nil
        }
    }

    static func jobs(_ settings: ObservatorySettings) throws -> [ScrapeJob] {
        try settings.scrapeFile.map { try ScrapeConfiguration.jobs(inFile: $0) } ?? []
    }

    /// In the order in which they begin: what is told last is kept, too.
    func services(_ process: Signals.Process?) -> [any Service] {
        [OwnSignals(process: process, observatory: self)] + (scraper.map { [$0] } ?? [])
            + [Listening(observatory: self)]
    }

    /// Why it does not do all that it should; `nil` while it does.
    var fault: String? {
        if let fault = supervisor.fault { return fault }
        let damaged = store.statistics.damaged
        return damaged.isEmpty
            ? nil : "Parts of telemetry are damaged and set aside: \(damaged.joined(separator: ", "))."
    }

    /// Answers again where it could not, because the shop must not end with it.
    private struct Listening: Service {
        let observatory: Observatory

        func run() async throws {
            await observatory.supervisor.run { try await observatory.server.run() }
        }
    }

    /// What the process tells of itself goes into its own store, without a wire.
    private struct OwnSignals: Service {
        let process: Signals.Process?
        let observatory: Observatory

        /// Of spans and log lines, so that what has just happened can be looked at.
        private static let interval = Duration.seconds(1)
        /// Of metrics, in intervals.
        private static let metricsEvery = 10

        func run() async throws {
            await cancelWhenGracefulShutdown {
                var round = 0
                repeat {
                    if round % Self.metricsEvery == 0 { await keepMetrics() }
                    await keepRecords()
                    round += 1
                } while (try? await Task.sleep(for: Self.interval)) != nil
            }
            await keepMetrics()
            await keepRecords()
            try observatory.store.close()
        }

        private func keepMetrics() async {
            let now = Int64(UnixTime.now() / 1_000_000)
            observatory.metadata.note(SpanMetrics.metadata)
            observatory.metadata.note(ServiceGraph.metadata)
            observatory.metadata.note(SignalStore.refusalMetadata)
            let (store, interval) = (observatory.store, Int64(Self.metricsEvery * Int(Self.interval.wholeMilliseconds)))
            await keep("metrics of spans") {
                _ = try await store.append(store.spanMetrics.samples(at: now, interval: interval))
                _ = try await store.append(store.serviceGraph.samples(at: now, interval: interval))
                _ = try await store.append(store.refusals(at: now))
            }
            guard let telemetry = process?.telemetry else { return }
            let families = telemetry.metrics.snapshot()
            observatory.metadata.note(families.metadata)
            observatory.store.exemplars.note(families.exemplars(from: telemetry.resource))
            await keep("metrics") {
                _ = try await observatory.store.append(SampleBatch(families, from: telemetry.resource, at: now))
            }
        }

        private func keepRecords() async {
            guard let (spans, spare, logs) = process?.mailbox?.empty() else { return }
            if spans.count > 0, await !keep("spans", { _ = try await observatory.store.append(spans) }) {
                process?.mailbox?.noteLost(spans.count)
            }
            if spare.count > 0 { await keep("spare spans") { _ = try await observatory.store.append(spare) } }
            if logs.count > 0, await !keep("log lines", { _ = try await observatory.store.append(logs) }) {
                process?.mailbox?.noteLost(logs.count)
            }
        }

        @discardableResult
        private func keep(_ what: String, _ body: () async throws -> Void) async -> Bool {
            do {
                try await body()
                return true
            } catch {
                Logger(label: "vitrine.observatory").warning(
                    "The process' own signals cannot be kept", metadata: ["error": "\(error)", "signals": "\(what)"])
                return false
            }
        }
    }
}
