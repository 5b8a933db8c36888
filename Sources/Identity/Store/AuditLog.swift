// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence

/// One sensitive operation: who did what to what, and when.
struct AuditEntry: Sendable {
    let sequence: Int64
    let event: EventID
    let action: String
    let subject: String
    let actor: String
    let data: JSON
    let occurredAt: Timestamp
}

/// The append-only record of sensitive operations, fed from the events of all slices.
enum AuditLog {
    /// Events that somebody may have to answer for.
    static let sensitive: Set = [
        "key.created", "key.changed", "key.rotated", "key.revoked", "limit.changed", "limit.reset", "customer.erased",
        "customer.exported", "order.refunded",
        "order.cancelled", "order.imported", "stock.adjusted", "stock.counted", "ledger.adjusted", "price.changed",
        "return.received", "faults.begun", "faults.ended", "app.registered", "app.changed", "app.removed",
        "app.secret_rotated", "app.authorized", "app.authorization_withdrawn", "app.token_reuse_detected", "user.added",
        "user.changed", "user.password_changed", "user.signed_in", "user.signed_out", "user.sign_in_failed",
        "role.saved",
    ]

    static func append(_ event: Event, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO audit_log (event, action, subject, actor, data, occurred_at)
            VALUES (\(event.id), \(event.type), \(event.subject), \(event.actor), \(event.data), \(event.occurredAt))
            ON CONFLICT (event) DO NOTHING
            """)
    }

    static func page(
        subject: String?, actor: String?, _ request: PageRequest, in connection: Connection
    ) throws -> Page<AuditEntry> {
        var conditions: SQL = "1 = 1"
        if let subject { conditions += " AND subject = \(subject)" }
        if let actor { conditions += " AND actor = \(actor)" }
        let keyset = Keyset((expression: "sequence", order: .descending))
        let rows = try connection.all(
            """
            SELECT sequence, event, action, subject, actor, data, occurred_at FROM audit_log
            WHERE \(conditions) \(keyset.clause(request))
            """
        ) { row in
            try AuditEntry(
                sequence: row.next(), event: row.next(), action: row.next(), subject: row.next(), actor: row.next(),
                data: row.next(), occurredAt: row.next())
        }
        return Page(rows: rows, for: request) { [.integer($0.sequence)] }
    }
}
