// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Logging
internal import Synchronization

/// The engine for more than one machine: a Postgres server that any number of processes share.
///
/// Bodies are synchronous, so each connection has a thread of its own; what waits, waits in a bounded queue. Transactions
/// run at `READ COMMITTED`, and what they decide about is locked (``Connection/forUpdate``,
/// ``Transaction/serialize(on:)``); reads run on one snapshot.
package struct PostgresEngine: SQLEngine {
    package struct Configuration: Sendable {
        /// `postgres://user@host:port/database?sslmode=verify-full`, or any other connection string of libpq.
        package var url: String
        /// Copies of the database that lag behind by moments, for reads that may. Default none.
        package var replicaURLs: [String] = []
        /// Connections that write. Default 8. Raise it where orders wait; all processes' together must fit the server.
        package var writers = 8
        /// Connections that read, for each replica or for the server itself. Default 4.
        package var readers = 4
        /// Bodies that may wait, readers and writers apart. Default 8192; beyond it callers are told to come back.
        package var queueMax = 8_192

        package init(url: String) { self.url = url }
    }

    package let dialect = Dialect.postgres
    package let versions = TableVersions()
    private let writes: WorkQueue<WriteJob>
    private let reads: WorkQueue<ReadJob>
    private let lagging: WorkQueue<ReadJob>
    private let hasReplicas: Bool
    private let listener: ChangeListener
    private let threads = ThreadGroup()

    /// Connects and starts the threads.
    ///
    /// - Throws: ``DatabaseError`` when the server cannot be reached or refuses.
    package init(_ configuration: Configuration) throws {
        let probe = PostgresSession(url: configuration.url)
        try probe.connect()
        probe.close()
        let reachability = Reachability(of: .database)
        let (readGate, writeGate) = (Gate(), Gate())
        let versions = versions
        let writes = WorkQueue<WriteJob>(capacity: configuration.queueMax)
        let reads = WorkQueue<ReadJob>(capacity: configuration.queueMax)
        hasReplicas = !configuration.replicaURLs.isEmpty
        let lagging = hasReplicas ? WorkQueue<ReadJob>(capacity: configuration.queueMax) : reads
        (self.writes, self.reads, self.lagging) = (writes, reads, lagging)
        for _ in 0..<max(1, configuration.writers) {
            let url = configuration.url
            try threads.start(name: "postgres-writer") {
                PostgresSession(url: url)
            } run: { session in
                PostgresWorker(session: session, gate: writeGate, reachability: reachability, versions: versions).serve(
                    writes)
            }
        }
        let listener = ChangeListener(url: configuration.url, versions: versions)
        self.listener = listener
        try threads.start(name: "postgres-listener") {
            listener
        } run: { listener in
            listener.serve()
        }
        let readers = [(configuration.url, reads)] + configuration.replicaURLs.map { ($0, lagging) }
        for (place, (url, queue)) in readers.enumerated() {
            let reachability = place == 0 ? reachability : Reachability(of: .replica)
            for _ in 0..<max(1, configuration.readers) {
                try threads.start(name: "postgres-reader") {
                    PostgresSession(url: url)
                } run: { session in
                    PostgresWorker(session: session, gate: readGate, reachability: reachability, versions: versions)
                        .serve(queue)
                }
            }
        }
    }

    package func read<Result: Sendable>(
        _ freshness: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        guard freshness == .lagging, hasReplicas else { return try await read(from: reads, body) }
        do {
            return try await read(from: lagging, body)
        } catch let error as DatabaseError where error.kind == .connection {
            return try await read(from: reads, body)
        }
    }

    private func read<Result: Sendable>(
        from queue: WorkQueue<ReadJob>, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let job = ReadJob(
                deadline: .current,
                attempt: { connection in
                    let result = try body(connection)
                    return { continuation.resume(returning: result) }
                },
                fail: { continuation.resume(throwing: $0) })
            if let refusal = queue.offer(job) { continuation.resume(throwing: refusal.failure) }
        }
    }

    package func write<Result: Sendable>(
        alone _: Bool, _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let job = WriteJob(
                deadline: .current,
                attempt: { transaction in
                    let result = try body(transaction)
                    return { continuation.resume(returning: result) }
                },
                fail: { continuation.resume(throwing: $0) })
            if let refusal = writes.offer(job) { continuation.resume(throwing: refusal.failure) }
        }
    }

    package func close() async {
        writes.close()
        reads.close()
        lagging.close()
        listener.stop()
        await threads.finished()
    }
}

/// Says once that the server is gone, and once that it is back.
private final class Reachability: Sendable {
    enum Server { case database, replica }

    private let server: Server
    private let isReachable = Mutex(true)
    private let logger = Logger(label: "vitrine.database")

    init(of server: Server) { self.server = server }

    func connected() {
        guard
            isReachable.withLock({ (was: inout Bool) in
                let news = !was; was = true; return news
            })
        else { return }
        switch server {
        case .database: logger.notice("The database can be reached again")
        case .replica: logger.notice("A replica can be reached again")
        }
    }

    func failed(_ error: DatabaseError) {
        guard
            isReachable.withLock({ (was: inout Bool) in
                let news = was; was = false; return news
            })
        else { return }
        let metadata: Logger.Metadata = ["error": "\(error.message)"]
        switch server {
        case .database:
            logger.error(
                "The database cannot be reached; requests are answered 503 until it is back", metadata: metadata)
        case .replica:
            logger.warning("A replica cannot be reached; its reads go to the database", metadata: metadata)
        }
    }
}

/// A thread with its connection.
private struct PostgresWorker {
    let session: PostgresSession
    let gate: Gate
    let reachability: Reachability
    let versions: TableVersions

    /// How often a body is tried that lost a conflict or its connection.
    private static let attemptsMax = 20
    /// The longest pause before the second attempt; it doubles with each, so that those who collided part.
    private static let firstPause = 0.002
    private static let pauseMax = 0.5

    func serve(_ queue: WorkQueue<ReadJob>) {
        while let job = queue.take(upTo: 1).first {
            tryAgainWhilePassing(job.deadline) {
                session.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                let tell = try job.attempt(Connection(session: session))
                do { try session.endUnwatched("COMMIT") } catch { session.close() }
                tell()
            } giveUp: { error in
                job.fail(error)
            }
        }
        session.close()
    }

    func serve(_ queue: WorkQueue<WriteJob>) {
        while let job = queue.take(upTo: 1).first {
            tryAgainWhilePassing(job.deadline) {
                session.begin("BEGIN")
                let transaction = Transaction(session: session, watched: versions.watched)
                let tell = try job.attempt(transaction)
                if !transaction.changed.isEmpty { session.later(ChangeListener.notification(of: transaction.changed)) }
                do { try session.control("COMMIT") } catch { throw CommitFailed(error: error) }
                versions.noteChange(of: transaction.changed)
                tell()
            } giveUp: { error in
                job.fail(error)
            }
        }
        session.close()
    }

    /// A commit whose answer is lost may have happened; only the caller's own key can tell.
    private struct CommitFailed: Error { let error: any Error }

    private func tryAgainWhilePassing(
        _ deadline: Deadline?, _ attempt: () throws -> Void, giveUp: (any Error) -> Void
    ) {
        var pause = Self.firstPause
        for number in 1... {
            do {
                try prepare(deadline)
                try gate.pass(alone: number > 1) { try attempt() }
                session.deadline = nil
                return
            } catch {
                rollBack()
                guard number < Self.attemptsMax, Self.isPassing(error) else {
                    return giveUp((error as? CommitFailed)?.error ?? error)
                }
                Thread.sleep(forTimeInterval: .random(in: 0...pause))
                pause = min(pause * 2, Self.pauseMax)
            }
        }
    }

    private static func isPassing(_ error: any Error) -> Bool {
        switch error {
        case let error as DatabaseError: error.kind == .conflict || error.kind == .connection && !error.isUnreachable
        // A commit that was refused for a conflict has not happened.
        case let failure as CommitFailed: (failure.error as? DatabaseError)?.kind == .conflict
        default: false
        }
    }

    /// - Throws: when nobody waits for the answer any more, or the server cannot be reached.
    private func prepare(_ deadline: Deadline?) throws {
        try deadline.requireTime()
        if !session.isConnected {
            do {
                try session.connect()
                reachability.connected()
            } catch {
                guard let error = error as? DatabaseError else { throw error }
                reachability.failed(error)
                throw error.asUnreachable
            }
        }
        session.deadline = deadline
    }

    private func rollBack() {
        session.deadline = .after(.seconds(5))
        defer { session.deadline = nil }
        do { try session.rollBack() } catch { session.close() }
    }
}

extension DatabaseError {
    /// Whether not even a new connection could be had, so that trying at once is no use.
    fileprivate var isUnreachable: Bool { code == Self.unreachable }

    fileprivate var asUnreachable: DatabaseError {
        DatabaseError(kind: kind, code: Self.unreachable, message: message, statement: statement)
    }

    /// SQLSTATE 08001: the client cannot establish a connection.
    private static let unreachable = "08001"
}
