// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Jobs
internal import Kernel
internal import Persistence

/// One sensitive operation: who did what to what, when, from where, and with which app.
struct AuditEntry: Sendable {
    let sequence: Int64
    let event: EventID
    let action: String
    let subject: String
    let actor: String
    /// The app through which somebody acted.
    let app: String?
    /// The person who acted, or in whose name it was.
    let user: String?
    let address: String?
    let trace: String?
    let data: JSON
    let occurredAt: Timestamp
    /// Over this entry and the one before, in hexadecimal; `nil` for those from before there was a chain.
    let hash: String?
}

/// The append-only record of sensitive operations, fed from the events of all slices.
///
/// Each entry holds a hash over itself and the hash before it, so that none can be changed, left out or put in between without
/// every later one being wrong. Whoever may write to the database could make a new chain; so a head that was noted elsewhere
/// is what proves the whole (`vitrine check --audit-head`).
enum AuditLog {
    /// Events that somebody may have to answer for.
    static let sensitive: Set = [
        "key.created", "key.changed", "key.rotated", "key.revoked", "limit.changed", "limit.reset", "customer.erased",
        "customer.exported", "order.refunded",
        "order.cancelled", "order.imported", "stock.adjusted", "stock.counted", "ledger.adjusted", "price.changed",
        "return.received", "faults.begun", "faults.ended", "app.registered", "app.changed", "app.removed",
        "app.secret_rotated", "app.authorized", "app.authorization_withdrawn", "app.token_reuse_detected",
        "app.token_revoked", "user.added",
        "user.changed", "user.password_changed", "user.signed_in", "user.signed_out", "user.sign_in_failed",
        "role.saved", "customer.account_link_made", "customer.account_opened", "customer.account_reopened",
        "customer.account_removed",
        "organization.created", "organization.changed", "organization.removed", "organization.invited",
        "organization.joined", "organization.left", "organization.member_changed", "user.second_factor_added",
        "user.second_factor_removed",
    ]

    static func append(_ event: Event, in transaction: Transaction) throws {
        // One chain, whoever relays.
        try transaction.serialize(on: "audit log")
        guard try !transaction.exists("SELECT 1 FROM audit_log WHERE event = \(event.id)") else { return }
        let (app, user) = parties(event)
        let previous = try head(in: transaction) ?? genesis(in: transaction)
        let data = event.data.text
        let hash = Self.hash(
            previous,
            [
                event.id.rawValue, event.type, event.subject, event.actor, app, user, event.origin, event.trace, data,
                String(event.occurredAt.milliseconds),
            ])
        try transaction.execute(
            """
            INSERT INTO audit_log (event, action, subject, actor, app, user_id, address, trace, data, occurred_at, hash)
            VALUES (\(event.id), \(event.type), \(event.subject), \(event.actor), \(app), \(user), \(event.origin),
                \(event.trace), \(data), \(event.occurredAt), \(hash))
            """)
    }

    /// `app_…:usr_…` for an app in a user's name; either for itself.
    private static func parties(_ event: Event) -> (app: String?, user: String?) {
        let parts = event.actor.split(separator: ":").map(String.init)
        return (parts.first { $0.hasPrefix("app_") }, parts.first { $0.hasPrefix("usr_") })
    }

    // MARK: Reading

    struct Filter: Sendable {
        var subject: String?
        var actor: String?
        var app: String?
        var user: String?
        var action: String?
        var after: Timestamp?
        var before: Timestamp?

        fileprivate var conditions: SQL {
            var conditions: SQL = "1 = 1"
            if let subject { conditions += " AND subject = \(subject)" }
            if let actor { conditions += " AND actor = \(actor)" }
            if let app { conditions += " AND app = \(app)" }
            if let user { conditions += " AND user_id = \(user)" }
            if let action { conditions += " AND action = \(action)" }
            if let after { conditions += " AND occurred_at >= \(after)" }
            if let before { conditions += " AND occurred_at < \(before)" }
            return conditions
        }
    }

    static func page(
        _ filter: Filter, _ request: PageRequest, in connection: Connection
    ) throws -> Page<AuditEntry> {
        let keyset = Keyset((expression: "sequence", order: .descending))
        let rows = try connection.all(
            "SELECT \(columns) FROM audit_log WHERE \(filter.conditions) \(keyset.clause(request))", entry)
        return Page(rows: rows, for: request) { [.integer($0.sequence)] }
    }

    private static let columns: SQL =
        "sequence, event, action, subject, actor, app, user_id, address, trace, data, occurred_at, hash"

    private static func entry(_ row: inout Row) throws -> AuditEntry {
        try AuditEntry(
            sequence: row.next(), event: row.next(), action: row.next(), subject: row.next(), actor: row.next(),
            app: row.next(), user: row.next(), address: row.next(), trace: row.next(), data: row.next(),
            occurredAt: row.next(), hash: row.next([UInt8]?.self)?.hexadecimal)
    }

    // MARK: The chain

    private static func head(in connection: Connection) throws -> [UInt8]? {
        try connection.first(
            "SELECT hash FROM audit_log WHERE hash IS NOT NULL ORDER BY sequence DESC LIMIT 1"
        ) { try $0.next([UInt8].self) } ?? checkpoint(in: connection)?.hash
    }

    /// What a chain begins with: all that was recorded before there was one.
    private static func genesis(in connection: Connection) throws -> [UInt8] {
        var hash = SHA256()
        try connection.forEach(
            """
            SELECT \(columns) FROM audit_log WHERE hash IS NULL AND sequence < COALESCE(
                (SELECT MIN(sequence) FROM audit_log WHERE hash IS NOT NULL), 9223372036854775807)
            ORDER BY sequence
            """
        ) { row in
            let entry = try entry(&row)
            hash.update(data: Self.bytes(fields(entry)))
        }
        return Array(hash.finalize())
    }

    private static func fields(_ entry: AuditEntry) -> [String?] {
        [
            entry.event.rawValue, entry.action, entry.subject, entry.actor, entry.app, entry.user, entry.address,
            entry.trace, entry.data.text, String(entry.occurredAt.milliseconds),
        ]
    }

    private static func hash(_ previous: [UInt8], _ fields: [String?]) -> [UInt8] {
        Array(SHA256.hash(data: previous + bytes(fields)))
    }

    /// Each with its length before it, so that no two lists of fields are the same bytes.
    private static func bytes(_ fields: [String?]) -> [UInt8] {
        fields.flatMap { field in Array("\(field.map { String($0.utf8.count) } ?? "-"):\(field ?? "")".utf8) }
    }

    /// What the chain came to.
    struct Verdict: Sendable {
        var count = 0
        /// Up to which entry they were let go; 0 where none was. Whoever may write to the database can let go of more than is
        /// said to be kept, so that people are told.
        var forgotten: Int64 = 0
        /// The last hash.
        var head: String?
        var faults: [String] = []
        /// Whether the head that was asked about is one of the chain's.
        var hasKnownHead = false
    }

    /// Goes through the whole chain.
    static func verify(knownHead: String?, in connection: Connection) throws -> Verdict {
        var verdict = Verdict()
        let checkpoint = try checkpoint(in: connection)
        var previous = try checkpoint?.hash ?? genesis(in: connection)
        verdict.head = checkpoint?.hash.hexadecimal
        verdict.forgotten = checkpoint?.sequence ?? 0
        let kept = try checkpoints(in: connection).map(\.hexadecimal)
        verdict.hasKnownHead = knownHead.map(kept.contains) ?? false
        var hasBegun = checkpoint != nil
        try connection.forEach("SELECT \(columns) FROM audit_log ORDER BY sequence") { row in
            let entry = try entry(&row)
            verdict.count += 1
            guard entry.hash != nil else {
                // From before there was a chain; or written by a process that does not know of it, or by nobody's right.
                if hasBegun, verdict.faults.isEmpty {
                    verdict.faults.append(
                        "entry \(entry.sequence) (\(entry.action), \(entry.occurredAt)) stands outside the chain")
                }
                return
            }
            hasBegun = true
            let expected = hash(previous, fields(entry))
            if expected.hexadecimal != entry.hash, verdict.faults.isEmpty {
                verdict.faults.append(
                    "entry \(entry.sequence) (\(entry.action), \(entry.occurredAt)) is not what was recorded, or one before it is missing"
                )
            }
            previous = expected
            verdict.head = entry.hash
            if entry.hash == knownHead { verdict.hasKnownHead = true }
        }
        if let knownHead, !verdict.hasKnownHead {
            verdict.faults.append(
                "the head \(knownHead.prefix(64)) is none of this chain's: its end was cut off, or it was made anew")
        }
        return verdict
    }

    // MARK: Retention

    private static func checkpoint(in connection: Connection) throws -> (sequence: Int64, hash: [UInt8])? {
        try connection.first("SELECT sequence, hash FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1") { row in
            try (sequence: row.next(), hash: row.next())
        }
    }

    private static func checkpoints(in connection: Connection) throws -> [[UInt8]] {
        try connection.all("SELECT hash FROM audit_checkpoints") { try $0.next([UInt8].self) }
    }

    /// Lets go of entries from before `time`, `limit` at most. What the chain came to there is kept in their place, so that the
    /// rest can still be proved.
    ///
    /// - Returns: how many entries went.
    static func forget(before time: Timestamp, limit: Int, in transaction: Transaction) throws -> Int {
        try transaction.serialize(on: "audit log")
        let last = try transaction.first(
            """
            SELECT sequence, hash FROM (
                SELECT sequence, hash, occurred_at FROM audit_log WHERE hash IS NOT NULL ORDER BY sequence LIMIT \(limit)
            ) AS oldest WHERE occurred_at < \(time) ORDER BY sequence DESC LIMIT 1
            """
        ) { row in
            try (sequence: row.next(Int64.self), hash: row.next([UInt8].self))
        }
        guard let last else { return 0 }
        try transaction.execute(
            "INSERT INTO audit_checkpoints (sequence, hash) VALUES (\(last.sequence), \(last.hash))")
        return try transaction.execute("DELETE FROM audit_log WHERE sequence <= \(last.sequence)")
    }
}
