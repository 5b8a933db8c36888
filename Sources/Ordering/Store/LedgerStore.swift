// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// The sales ledger: append-only, and the sum of it is what the shop has earned.
enum LedgerStore {
    static func book(
        _ kind: LedgerEntry.Kind, _ amount: Money, about reference: String, externalID: String? = nil,
        reason: String? = nil, occurredAt: Timestamp, bookedAt: Timestamp, in transaction: Transaction
    ) throws {
        let entry: SQL = """
            INSERT INTO ledger_entries
                (id, kind, amount, currency, reference, external_id, reason, occurred_at, booked_at)
            VALUES (\(LedgerEntryID.make(at: bookedAt)), \(kind), \(amount.thousandths), \(amount.currency),
                \(reference), \(externalID), \(reason), \(occurredAt), \(bookedAt))
            """
        guard externalID != nil else { return try transaction.send(entry) }
        do {
            try transaction.execute(entry)
        } catch let error as DatabaseError where error.kind == .unique {
            throw OrderingError.externalIDTaken(externalID ?? "", existing: reference)
        }
    }

    static func summary(in currency: Currency, connection: Connection) throws -> LedgerSummary {
        var sums: [LedgerEntry.Kind: (amount: Int64, count: Int)] = [:]
        try connection.forEach(
            "SELECT kind, SUM(amount), COUNT(*) FROM ledger_entries WHERE currency = \(currency) GROUP BY kind"
        ) { row in
            sums[try row.next()] = (try row.next(), try row.next())
        }
        func money(_ kind: LedgerEntry.Kind) -> Money { Money(thousandths: sums[kind]?.amount ?? 0, currency) }
        return LedgerSummary(
            sales: money(.sale), credits: money(.credit), adjustments: money(.adjustment),
            entries: sums.values.reduce(0) { $0 + $1.count })
    }

    struct Numbered: Sendable {
        let sequence: Int64
        let entry: LedgerEntry
    }

    /// Latest booking first.
    static func page(_ request: PageRequest, in connection: Connection) throws -> Page<LedgerEntry> {
        let keyset = Keyset((expression: "sequence", order: .descending))
        let rows = try connection.all(
            """
            SELECT sequence, id, kind, amount, currency, reference, reason, occurred_at FROM ledger_entries
            WHERE 1 = 1 \(keyset.clause(request))
            """
        ) { row in
            let (sequence, id): (Int64, LedgerEntryID) = (try row.next(), try row.next())
            let kind: LedgerEntry.Kind = try row.next()
            let amount: Int64 = try row.next()
            return try Numbered(
                sequence: sequence,
                entry: LedgerEntry(
                    id: id, kind: kind, amount: Money(thousandths: amount, row.next()), reference: row.next(),
                    reason: row.next(), occurredAt: row.next()))
        }
        return Page(rows: rows, for: request) { [.integer($0.sequence)] }.map(\.entry)
    }

    /// Orders whose bookings do not add up to what they cost, less what went back.
    ///
    /// - Returns: a sentence for each; empty when all is well.
    static func disagreements(in connection: Connection) throws -> [String] {
        try connection.all(
            """
            SELECT o.number, o.state, o.total - o.refunded, COALESCE(SUM(l.amount), 0) FROM orders o
            LEFT JOIN ledger_entries l ON l.reference = o.id
            GROUP BY o.id
            HAVING CASE WHEN o.state = 'pending' OR (o.state = 'cancelled' AND o.cancel_reason <> 'requested') THEN 0
                WHEN o.state = 'cancelled' THEN 0 ELSE o.total - o.refunded END <> COALESCE(SUM(l.amount), 0)
            """
        ) { row in
            let (number, state) = (try row.next(String.self), try row.next(String.self))
            let (owed, booked) = (try row.next(Int64.self), try row.next(Int64.self))
            return "Order \(number), \(state): \(owed) stand in the order, \(booked) in the ledger (thousandths)."
        }
    }
}

extension LedgerEntry.Kind: SQLConvertible {}
