// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Logging
package import Persistence

/// Letters on their way: written in the transaction of what they tell of, and sent after it, at least once.
package struct Mails: Sendable {
    private let database: Database
    private let clock: WallClock
    private let send: SendMail
    private let logger = Logger(label: "vitrine.jobs.mail")

    /// Letters that one address gets within an hour, so that nobody fills a stranger's mailbox through us.
    private static let perHourMax = 3
    /// How long one is in one hand; longer than any attempt.
    private static let handTime = Duration.seconds(60)
    /// Pauses between attempts grow to this.
    private static let pauseMax = Duration.seconds(3_600)
    /// When a letter is given up: what it says is old by then.
    private static let ageMax = Duration.seconds(86_400)
    private static let batch = 20

    init(database: Database, clock: WallClock, send: @escaping SendMail) {
        (self.database, self.clock, self.send) = (database, clock, send)
    }

    /// Sends a letter if `transaction` commits; nobody is told where the address has had its share, or is none.
    package func add(_ mail: Mail, in transaction: Transaction) throws {
        guard Mail.isAddress(mail.recipient) else { return }
        let now = clock.now()
        try transaction.serialize(on: "mail " + mail.recipient)
        let hourAgo = now.advanced(by: .seconds(-3_600))
        let count = try transaction.first(
            "SELECT COUNT(*) FROM mails WHERE recipient = \(mail.recipient) AND created_at > \(hourAgo)"
        ) { try $0.next(Int.self) }
        guard count ?? 0 < Self.perHourMax else { return }
        try transaction.execute(
            """
            INSERT INTO mails (id, recipient, subject, body, created_at, due_at, attempts)
            VALUES (\(MailID.make(at: now)), \(mail.recipient), \(mail.subject), \(mail.text), \(now), \(now), 0)
            """)
    }

    /// Sends what is due. What fails comes round again, later each time.
    func work() async throws {
        let now = clock.now()
        let due = try await database.read { connection in
            try connection.all(
                "SELECT id FROM mails WHERE due_at <= \(now) ORDER BY due_at, id LIMIT \(Self.batch)"
            ) { try $0.next(MailID.self) }
        }
        for id in due { try await attempt(id) }
        if due.count < Self.batch { try await purge() }
    }

    private func attempt(_ id: MailID) async throws {
        let now = clock.now()
        let taken = try await database.write { transaction in
            try transaction.first(
                """
                UPDATE mails SET due_at = \(now.advanced(by: Self.handTime)), attempts = attempts + 1
                WHERE id = \(id) AND due_at <= \(now) RETURNING recipient, subject, body, attempts
                """
            ) { row in
                (
                    mail: Mail(to: try row.next(), subject: try row.next(), text: try row.next()),
                    attempts: try row.next(Int.self)
                )
            }
        }
        guard let taken else { return }
        do {
            try await send(taken.mail)
            try await finish(id)
        } catch is Undeliverable {
            logger.notice("Nobody can be written to at an address", metadata: ["mail": "\(id)"])
            try await finish(id)
        } catch {
            logger.warning(
                "A letter could not be sent and is tried again", metadata: ["mail": "\(id)", "error": "\(error)"])
            let pause = min(Self.pauseMax, .seconds(1 << min(taken.attempts, 12)))
            _ = try await database.write { transaction in
                try transaction.execute(
                    "UPDATE mails SET due_at = \(now.advanced(by: pause)) WHERE id = \(id) AND due_at IS NOT NULL")
            }
        }
    }

    /// Forgets what it said; that there was one is known for an hour.
    private func finish(_ id: MailID) async throws {
        _ = try await database.write { transaction in
            try transaction.execute("UPDATE mails SET due_at = NULL, subject = '', body = '' WHERE id = \(id)")
        }
    }

    private func purge() async throws {
        let (hourAgo, oldest) = (
            clock.now().advanced(by: .seconds(-3_600)), clock.now().advanced(by: .zero - Self.ageMax)
        )
        let isDue = try await database.read { connection in
            try connection.exists(
                "SELECT 1 FROM mails WHERE created_at < \(oldest) OR (due_at IS NULL AND created_at < \(hourAgo))")
        }
        guard isDue else { return }
        _ = try await database.write { transaction in
            try transaction.execute(
                "DELETE FROM mails WHERE created_at < \(oldest) OR (due_at IS NULL AND created_at < \(hourAgo))")
        }
    }

    static let migration = Migration(
        "jobs-0004-mails", .expand, "",
        sqlite: """
            CREATE TABLE mails (
                id TEXT PRIMARY KEY,
                recipient TEXT NOT NULL,
                subject TEXT NOT NULL,
                body TEXT NOT NULL,
                created_at INTEGER NOT NULL,
                due_at INTEGER,
                attempts INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX mails_due ON mails (due_at) WHERE due_at IS NOT NULL;
            CREATE INDEX mails_recipient ON mails (recipient, created_at);
            """,
        postgres: """
            CREATE TABLE mails (
                id text COLLATE "C" PRIMARY KEY,
                recipient text NOT NULL,
                subject text NOT NULL,
                body text NOT NULL,
                created_at bigint NOT NULL,
                due_at bigint,
                attempts integer NOT NULL
            );
            CREATE INDEX mails_due ON mails (due_at) WHERE due_at IS NOT NULL;
            CREATE INDEX mails_recipient ON mails (recipient, created_at);
            """)
}

enum MailKind: EntityKind { static let prefix = "mail" }
typealias MailID = Identifier<MailKind>
