// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The embedded engine: one SQLite file in WAL mode with `synchronous=FULL`.
///
/// One thread writes. It takes every body that waits and commits them together, a savepoint each, because a sync of the
/// disk costs as much as many statements. A caller is answered after that sync. Readers have threads of their own, so a
/// slow read holds up neither writes nor the server's event loops.
package struct SQLiteEngine: SQLEngine {
    package struct Configuration: Sendable {
        /// The file; made with its write-ahead log where it does not exist.
        package var path: String
        /// Threads that read. Default 2. Raise it with the number of cores.
        package var readerThreads = 2
        /// Bodies in one commit. Default 128. More raises throughput, and the wait of the first in the group.
        package var groupMax = 128
        /// Bodies that may wait, readers and writers apart. Default 8192; beyond it callers are told to come back.
        package var queueMax = 8_192

        package init(path: String) { self.path = path }
    }

    package let dialect = Dialect.sqlite
    package let versions = TableVersions()
    private let writes: WorkQueue<WriteJob>
    private let reads: WorkQueue<ReadJob>
    private let threads = ThreadGroup()

    /// Opens the file and starts the threads.
    ///
    /// - Throws: ``DatabaseError`` when the file cannot be opened or is no database.
    package init(_ configuration: Configuration) throws {
        let writes = WorkQueue<WriteJob>(capacity: configuration.queueMax)
        let reads = WorkQueue<ReadJob>(capacity: configuration.queueMax)
        self.writes = writes
        self.reads = reads
        let path = configuration.path
        let groupMax = configuration.groupMax
        let versions = versions
        try threads.start(name: "sqlite-writer") {
            try SQLiteSession(path: path, access: .readWrite)
        } run: { session in
            SQLiteWriter(session: session, versions: versions).serve(writes, groupMax: groupMax)
        }
        for _ in 0..<max(1, configuration.readerThreads) {
            try threads.start(name: "sqlite-reader") {
                try SQLiteSession(path: path, access: .readOnly)
            } run: { session in
                SQLiteReader(session: session).serve(reads)
            }
        }
    }

    /// There is one file, so every read is fresh.
    package func read<Result: Sendable>(
        _: Freshness, _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let job = ReadJob(
                deadline: .current,
                attempt: { connection in
                    let result = try body(connection)
                    return { continuation.resume(returning: result) }
                },
                fail: { continuation.resume(throwing: $0) })
            if let refusal = reads.offer(job) { continuation.resume(throwing: refusal.failure) }
        }
    }

    package func write<Result: Sendable>(
        alone: Bool, _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let job = WriteJob(
                deadline: .current, isAlone: alone,
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
        await threads.finished()
    }
}

extension WorkQueue.Refusal {
    var failure: Failure {
        switch self {
        case .full: Failure(.overloaded, "Too many requests wait for the database.")
        case .closed: Failure(.unavailable, "The database is closed.")
        }
    }
}

extension Deadline? {
    /// - Throws: `Failure` with `timed_out` where the caller has gone, so that a queue which grew too long is not worked
    ///   off for nobody.
    func requireTime() throws {
        if hasPassed { throw Failure(.timedOut, "The request waited too long for the database.") }
    }

    /// Never where there is none.
    var hasPassed: Bool { map { $0.remaining <= .zero } ?? false }
}

/// A read that waits for a thread.
struct ReadJob: Sendable {
    let deadline: Deadline?
    /// Runs the body; what it returns tells the caller.
    let attempt: @Sendable (Connection) throws -> @Sendable () -> Void
    let fail: @Sendable (any Error) -> Void
}

/// A write that waits for its group.
struct WriteJob: Sendable {
    let deadline: Deadline?
    /// Whether it shares its commit with none. In a group each body has a savepoint, and SQLite keeps the former pages of all
    /// that changes within one in a list, which it walks at the end of every statement: of 500 products those are thousands.
    var isAlone = false
    /// Runs the body; what it returns tells the caller, once the commit is durable.
    let attempt: @Sendable (Transaction) throws -> @Sendable () -> Void
    let fail: @Sendable (any Error) -> Void
}

/// A thread that reads, each body on one snapshot.
struct SQLiteReader {
    let session: SQLiteSession

    func serve(_ queue: WorkQueue<ReadJob>) {
        while let job = queue.take(upTo: 1).first {
            do {
                defer { session.deadline = nil }
                try job.deadline.requireTime()
                try session.step("BEGIN")
                session.deadline = job.deadline
                try job.attempt(Connection(session: session))()
            } catch {
                job.fail(error)
            }
            // Ending a read changes nothing, and where it fails there is nothing to undo but the snapshot.
            if session.isInTransaction { try? session.step("COMMIT") }
        }
        session.close()
    }
}

/// The thread that writes, in groups.
struct SQLiteWriter {
    let session: SQLiteSession
    let versions: TableVersions

    func serve(_ queue: WorkQueue<WriteJob>, groupMax: Int) {
        while true {
            let group = queue.take(upTo: groupMax)
            if group.isEmpty { break }
            for part in Self.parts(of: group) { commit(part) }
        }
        session.close()
    }

    /// Those that share a commit, in the order of the queue.
    private static func parts(of group: [WriteJob]) -> [[WriteJob]] {
        group.reduce(into: []) { parts, job in
            if let last = parts.last?.last, !last.isAlone, !job.isAlone {
                parts[parts.count - 1].append(job)
            } else {
                parts.append([job])
            }
        }
    }

    /// Commits a group; where that fails as a whole, each body alone, so that no caller pays for another's fault.
    private func commit(_ group: [WriteJob]) {
        do {
            let settled = try attempt(group)
            for tell in settled { tell() }
        } catch {
            rollBack()
            guard group.count > 1 else { return group[0].fail(error) }
            for job in group { commit([job]) }
        }
    }

    /// - Returns: what to tell each caller.
    /// - Throws: when the group as a whole is lost: it could not begin or commit, or SQLite ended the transaction.
    private func attempt(_ group: [WriteJob]) throws -> [@Sendable () -> Void] {
        try session.step("BEGIN IMMEDIATE")
        let transaction = Transaction(session: session, watched: versions.watched)
        var settled: [@Sendable () -> Void] = []
        settled.reserveCapacity(group.count)
        for job in group {
            if group.count > 1 { try session.step("SAVEPOINT body") }
            do {
                defer { session.deadline = nil }
                try job.deadline.requireTime()
                session.deadline = job.deadline
                settled.append(try job.attempt(transaction))
                // What was done in time is not undone for the time that its end takes.
                session.deadline = nil
                if group.count > 1 { try session.step("RELEASE body") }
            } catch {
                // A group of one has no savepoint: undoing it is undoing the transaction.
                guard group.count > 1, session.isInTransaction else { throw error }
                try session.script("ROLLBACK TO body; RELEASE body")
                settled.append { job.fail(error) }
            }
        }
        try session.step("COMMIT")
        versions.noteChange(of: transaction.changed)
        return settled
    }

    private func rollBack() {
        guard session.isInTransaction else { return }
        // Where even this fails, the next BEGIN does too, and tells its callers.
        try? session.step("ROLLBACK")
    }
}
