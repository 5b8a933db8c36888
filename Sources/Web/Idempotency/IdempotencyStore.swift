// SPDX-License-Identifier: Apache-2.0

internal import Crypto
package import Kernel
package import Persistence

/// What a request with an `Idempotency-Key` may do once (draft-ietf-httpapi-idempotency-key-header).
package struct IdempotencyTicket: Hashable, Sendable {
    /// Whose key it is; two clients may use the same text.
    let client: String
    let operation: String
    let key: String
    /// SHA-256 over method, target and body: the same key with another request is a mistake.
    let fingerprint: String
    /// Where the answer holds a secret: the key under which it is stored. It is made of the caller's own credential,
    /// which the shop does not keep, so only that caller's retry can open it.
    let sealingKey: [UInt8]?

    /// The ticket of one part of a request that is committed in several. No operation's name has a `#`.
    func part(_ number: Int) -> IdempotencyTicket {
        IdempotencyTicket(
            client: client, operation: "\(operation)#\(number)", key: key, fingerprint: fingerprint,
            sealingKey: sealingKey)
    }
}

/// Keeps the answer to each keyed request, written in the transaction of its effect.
package enum IdempotencyStore {
    enum Record {
        case answered(WireResponse)
        /// Begun by a request that works in several steps; `resource` is what it made so far.
        case begun(resource: String)
    }

    /// Answers are kept, and replayed, for so long.
    package static let timeToLive = Duration.seconds(7 * 86_400)

    /// - Throws: ``Problem`` 422 when the key belongs to another request.
    ///
    /// In a transaction, others with the same key wait until it ends.
    static func find(_ ticket: IdempotencyTicket, in connection: Connection) throws -> Record? {
        if let transaction = connection as? Transaction {
            try transaction.serialize(on: "key \(ticket.client) \(ticket.operation) \(ticket.key)")
        }
        let found = try connection.first(
            """
            SELECT fingerprint, resource, status, headers, body FROM idempotency_records
            WHERE client = \(ticket.client) AND operation = \(ticket.operation) AND key = \(ticket.key)
            """
        ) { row in
            try (
                fingerprint: row.next(String.self), resource: row.next(String?.self), status: row.next(Int?.self),
                headers: row.next(JSON?.self), body: row.next([UInt8]?.self)
            )
        }
        guard let found else { return nil }
        guard found.fingerprint == ticket.fingerprint else {
            throw Problem(
                .idempotencyMismatch,
                "This key was used for a request with another body or address. Use a new key for a new request.")
        }
        guard let status = found.status else { return .begun(resource: found.resource ?? "") }
        let headers = (found.headers?.members ?? []).map { HeaderField($0.name, $0.value.string ?? "") }
        let body = try open(found.body ?? [], with: ticket.sealingKey)
        return .answered(WireResponse(status: status, headers: headers, body: body))
    }

    static func begin(
        _ ticket: IdempotencyTicket, resource: String, at time: Timestamp, in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO idempotency_records (client, operation, key, fingerprint, resource, created_at)
            VALUES (\(ticket.client), \(ticket.operation), \(ticket.key), \(ticket.fingerprint), \(resource), \(time))
            """)
    }

    static func store(
        _ response: WireResponse, for ticket: IdempotencyTicket, at time: Timestamp, in transaction: Transaction
    ) throws {
        let headers = JSON.object(response.headers.map { .init($0.name, .string($0.value)) })
        try transaction.execute(
            """
            INSERT INTO idempotency_records
                (client, operation, key, fingerprint, status, headers, body, created_at)
            VALUES (\(ticket.client), \(ticket.operation), \(ticket.key), \(ticket.fingerprint), \(response.status),
                \(headers), \(try seal(response.body, with: ticket.sealingKey)), \(time))
            ON CONFLICT (client, operation, key)
            DO UPDATE SET status = excluded.status, headers = excluded.headers, body = excluded.body
            """)
    }

    /// Forgets what the parts came to, once the whole request is answered.
    static func forgetParts(of ticket: IdempotencyTicket, in transaction: Transaction) throws {
        try transaction.execute(
            """
            DELETE FROM idempotency_records WHERE client = \(ticket.client) AND key = \(ticket.key)
            AND operation > \(ticket.operation + "#") AND operation < \(ticket.operation + "$")
            """)
    }

    private static func seal(_ body: [UInt8], with key: [UInt8]?) throws -> [UInt8] {
        guard let key, let sealed = try AES.GCM.seal(body, using: SymmetricKey(data: key)).combined else { return body }
        return Array(sealed)
    }

    private static func open(_ body: [UInt8], with key: [UInt8]?) throws -> [UInt8] {
        guard let key else { return body }
        return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: body), using: SymmetricKey(data: key)))
    }

    /// Forgets answers that are no longer replayed.
    package static func purge(now: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            "DELETE FROM idempotency_records WHERE created_at < \(now.advanced(by: .zero - timeToLive))")
    }

    /// Forgets answers in which `text` occurs, because somebody asked to be forgotten. Cost: reads every kept answer.
    package static func forget(mentioning text: String, in transaction: Transaction) throws {
        let mentions: SQL =
            switch transaction.dialect {
            case .sqlite: "instr(body, CAST(\(text) AS BLOB)) > 0"
            case .postgres: "position(convert_to(\(text), 'UTF8') IN body) > 0"
            }
        try transaction.execute("DELETE FROM idempotency_records WHERE body IS NOT NULL AND \(mentions)")
    }

    package static let migration = Migration(
        "web-0001-idempotency", .expand,
        """
        CREATE TABLE idempotency_records (
            client TEXT NOT NULL,
            operation TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            resource TEXT,
            status INTEGER,
            headers TEXT,
            body BLOB,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (client, operation, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);
        CREATE TABLE secrets (
            name TEXT PRIMARY KEY,
            value BLOB NOT NULL
        ) STRICT;
        """)
}
