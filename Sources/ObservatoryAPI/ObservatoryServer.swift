// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import HTTPTypes
package import Hummingbird
internal import Kernel
internal import Logging
internal import NIOCore
package import OTLP
package import PromQL
package import Scraping
internal import ServiceLifecycle
package import TLS
internal import Telemetry
package import TelemetryStore

/// The observatory over HTTP, on a port of its own, so that it answers while the shop does not.
package struct ObservatoryServer: Service {
    package struct Settings: Sendable {
        package var host = "127.0.0.1"
        /// 0 takes a free one.
        package var port = 8_081
        /// What it shows over TLS; plain HTTP without.
        package var certificates: Certificates?
        package var query = QueryEngine.Settings()
        /// How long a query may take, unless its client asks for less. Default two minutes.
        package var queryTimeout: Duration = .seconds(120)
        /// Queries at once. Default two.
        package var queryThreads = 2
        /// What long queries have of each processor together while this process has something else to do; all that nobody else
        /// wants where it is `nil`, as where there is nothing else. Default `nil`.
        package var longQueryShare: Double?
        /// Called on the thread of a query that is long, which from then on may be put aside at any moment.
        package var steppingAside: @Sendable () -> Void = {}

        package init() {}
    }

    let settings: Settings
    let now: @Sendable () -> Int64
    let access: ObservatoryAccess
    let store: SignalStore
    let api: PrometheusAPI
    let threads: QueryThreads
    let tails = TailCount()
    private let targets: @Sendable () -> [Scraper.Report]
    private let started: @Sendable (Int) async -> Void
    private let pages: Pages?
    /// What becomes of OTLP, whichever way it comes.
    package let intake: Intake

    /// Answers a request as the APIs do, without a wire.
    package typealias Ask = @Sendable (Request, BasicRequestContext) async throws -> Response
    /// Puts pages beside the APIs, which ask these what they show.
    package typealias Pages = @Sendable (Router<BasicRequestContext>, @escaping Ask) -> Void

    /// Processors that one query of metrics may use at once.
    private static let threadsMax = 4
    /// The largest form or batch that is taken, in bytes.
    static let bodyBytesMax = 32 << 20

    /// `started` is told the port once it listens.
    package init(
        _ settings: Settings, store: SignalStore, metadata: MetadataTable, access: ObservatoryAccess,
        version: String,
        now: @escaping @Sendable () -> Int64 = { Int64(UnixTime.now() / 1_000_000) },
        targets: @escaping @Sendable () -> [Scraper.Report] = { [] },
        pages: Pages? = nil,
        started: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.settings = settings
        self.now = now
        self.access = access
        self.store = store
        self.started = started
        self.targets = targets
        self.pages = pages
        let processors = ProcessInfo.processInfo.activeProcessorCount
        var query = settings.query
        // Beside a shop the other processors are the shop's, and who never stops asking must not be answered at once.
        if settings.longQueryShare == nil {
            query.threads = min(Self.threadsMax, processors)
            query.memory = AnswerMemory()
        }
        api = PrometheusAPI(store: store, metadata: metadata, settings: query, version: version, now: now)
        let pace = settings.longQueryShare.map { QueryPace(share: $0 * Double(processors)) }
        threads = QueryThreads(
            count: settings.queryThreads, rank: pace == nil ? QueryThreads.alone : QueryThreads.besideShop, pace: pace,
            steppingAside: settings.steppingAside)
        intake = Intake { batch in
            do {
                let admission: Admission
                switch batch {
                case .metrics(let metrics):
                    let (samples, known) = metrics.samples(now: now())
                    metadata.note(known)
                    store.exemplars.note(metrics.storedExemplars)
                    admission = try await store.append(samples)
                case .spans(let spans): admission = try await store.append(spans)
                case .logs(let logs): admission = try await store.append(logs)
                }
                return Intake.Refusal(items: admission.refusedCount, reason: admission.message)
            } catch let failure as Failure where failure.code == .overloaded {
                throw Intake.Overload(retryAfter: .seconds(1))
            }
        }
    }

    package func run() async throws {
        let router = Router()
        mountQueries(on: router)
        mountReports(on: router)
        mountJaeger(on: router)
        mountLoki(on: router)
        mountTail(on: router)
        mountReportsOfTraces(on: router)
        for signal in Signal.allCases {
            for path in ["/v1", "/api/v1/otlp/v1"] {
                router.post("\(path)/\(signal.rawValue)") { request, _ in
                    await guarded(request) { await HTTPReceiver.answer(request, signal, intake) }
                }
            }
        }
        router.post("/api/v1/write") { request, _ in await guarded(request) { await write(request) } }
        // Their own router, which may ask the one that is whole here.
        let apis = router.buildResponder()
        let front = Router()
        pages?(front) { request, context in try await apis.respond(to: request, context: context) }
        let (pagesResponder, hasPages) = (front.buildResponder(), pages != nil)
        let responder = CallbackResponder<BasicRequestContext> { request, context in
            let path = request.uri.path
            let isPage = hasPages && (["/", "/console"].contains(path) || path.hasPrefix("/console/"))
            return try await isPage
                ? pagesResponder.respond(to: request, context: context) : apis.respond(to: request, context: context)
        }
        var logger = Logger(label: "vitrine.observatory.http")
        logger.logLevel = .warning
        let application = Application(
            responder: responder,
            server: .live(at: [LokiTail.path], idleTimeout: .seconds(60), settings.certificates) { await liveWork($0) },
            configuration: .init(address: .hostname(settings.host, port: settings.port), serverName: nil),
            onServerRunning: { channel in await started(channel.localAddress?.port ?? settings.port) },
            logger: logger)
        try await application.run()
    }

    // MARK: Routes

    private func mountQueries(on router: Router<BasicRequestContext>) {
        let calls: [(String, Answer)] = [
            ("query", { try api.query($0.parameters, $0.isCancelled) }),
            ("query_range", { try api.queryRange($0.parameters, $0.isCancelled) }),
            ("query_exemplars", { try api.queryExemplars($0.parameters, $0.isCancelled) }),
            ("format_query", { try api.formatQuery($0.parameters) }),
            ("parse_query", { try api.parseQuery($0.parameters) }),
            ("series", { try api.series($0.parameters, $0.isCancelled) }),
            ("labels", { try api.labels($0.parameters, $0.isCancelled) }),
        ]
        for (path, answer) in calls {
            mount("/api/v1/\(path)", on: router, .prometheus, isPosted: true, answer)
        }
        mount("/api/v1/label/:subject/values", on: router, .prometheus) {
            try api.labelValues($0.subject, $0.parameters, $0.isCancelled)
        }
        mount("/api/v1/metadata", on: router, .prometheus) { try api.metadata($0.parameters) }
        mount("/federate", on: router, .prometheus, type: ExpositionFormat.prometheusText.contentType) {
            try api.federate($0.parameters, $0.isCancelled)
        }
    }

    private func mountReports(on router: Router<BasicRequestContext>) {
        for (path, body) in PrometheusReports.fixed(version: api.version) {
            router.get("/api/v1/\(path)") { request, _ in await guarded(request) { Dialect.response(200, body) } }
        }
        router.get("/api/v1/targets") { request, _ in
            await guarded(request) { Dialect.response(200, PrometheusReports.targets(targets())) }
        }
        router.get("/api/v1/status/tsdb") { request, _ in
            await guarded(request) { Dialect.response(200, PrometheusReports.store(store.statistics)) }
        }
        for path in ["/-/healthy", "/-/ready"] {
            router.get("\(path)") { _, _ in Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "OK\n"))) }
        }
    }

    // MARK: Answers

    func guarded(_ request: Request, _ answer: () async -> Response) async -> Response {
        guard await access.allows(request) else {
            var response = Dialect.response(
                401, PrometheusAnswers.failure(.badData("A token is needed that may read telemetry.")))
            response.headers[.wwwAuthenticate] = "Bearer realm=\"observatory\", Basic realm=\"observatory\""
            return response
        }
        return await answer()
    }

    // MARK: Remote write

    private func write(_ request: Request) async -> Response {
        func refused(_ status: HTTPResponse.Status, _ words: String) -> Response {
            Response(status: status, body: .init(byteBuffer: ByteBuffer(string: words + "\n")))
        }
        guard request.headers[.contentEncoding]?.lowercased() == "snappy" else {
            return refused(.unsupportedMediaType, "Content-Encoding must be snappy (remote write 1.0).")
        }
        if request.headers[.contentType]?.contains("io.prometheus.write.v2") == true {
            return refused(.unsupportedMediaType, "Only remote write 1.0 is taken.")
        }
        do {
            let body = try await request.body.collect(upTo: Self.bodyBytesMax)
            let message = try SnappyBlock.expanded(Array(body.readableBytesView))
            let read = try RemoteWriteDecoder.decode(message)
            api.metadata.note(read.metadata)
            let admission = try await store.append(read.batch)
            guard read.histograms == 0 else {
                return refused(.badRequest, "\(read.histograms) native histograms refused; \(admission.message)")
            }
            // What was refused would be refused again: 400 keeps the sender from trying.
            return admission.refusedCount == 0
                ? Response(status: .noContent) : refused(.badRequest, admission.message)
        } catch let error as SnappyBlock.Malformed {
            return refused(error == .tooLarge ? .contentTooLarge : .badRequest, "The body is malformed: \(error).")
        } catch let error as WireError {
            if case .tooLarge = error { return refused(.contentTooLarge, error.message) }
            return refused(.badRequest, error.message)
        } catch let failure as Failure {
            var response = refused(
                failure.code == .overloaded ? .tooManyRequests : .serviceUnavailable, failure.message)
            response.headers[.retryAfter] = "1"
            return response
        } catch {
            return refused(.badRequest, "The body cannot be read: \(error)")
        }
    }
}
