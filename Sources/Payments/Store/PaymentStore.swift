// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum PaymentStore {
    private static let columns: SQL = """
        id, order_id, provider, method_kind, method, amount, currency, capture, status, provider_reference,
        decline_reason, action_url, action_secret, refunded, created_at, updated_at
        """

    static func find(_ id: PaymentID, in connection: Connection) throws -> Payment? {
        try connection.first("SELECT \(columns) FROM payments WHERE id = \(id)\(connection.forUpdate)", payment)
    }

    static func payments(of order: OrderID, in connection: Connection) throws -> [Payment] {
        try connection.all("SELECT \(columns) FROM payments WHERE order_id = \(order) ORDER BY id", payment)
    }

    static func find(provider: String, reference: String, in connection: Connection) throws -> Payment? {
        try connection.first(
            """
            SELECT \(columns) FROM payments
            WHERE provider = \(provider) AND provider <> 'sandbox' AND provider_reference = \(reference)
            """, payment)
    }

    /// Captures and voids that are decided and not carried out, and that nobody is at work on.
    static func intended(at time: Timestamp, limit: Int, in connection: Connection) throws -> [Payment] {
        try connection.all(
            """
            SELECT \(columns) FROM payments WHERE status IN ('capture_pending', 'void_pending')
            AND (attempt_until IS NULL OR attempt_until < \(time)) ORDER BY updated_at LIMIT \(limit)
            """, payment)
    }

    /// Takes an intended step in hand until a time, so that no two carry it out at once.
    ///
    /// - Returns: `false` where another has it in hand or it is done.
    static func take(
        _ payment: Payment, at time: Timestamp, until: Timestamp, in transaction: Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            UPDATE payments SET attempt_until = \(until) WHERE id = \(payment.id) AND status = \(payment.status)
            AND (attempt_until IS NULL OR attempt_until < \(time))
            """) == 1
    }

    /// Writes down the provider's reference of a payment that has none.
    static func setReference(_ reference: String, of id: PaymentID, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE payments SET provider_reference = \(reference) WHERE id = \(id) AND provider_reference IS NULL")
    }

    static func insert(_ payment: Payment, in transaction: Transaction) throws {
        let (kind, method) = payment.method.stored
        try transaction.send(
            """
            INSERT INTO payments (\(columns))
            VALUES (\(payment.id), \(payment.order), \(payment.provider), \(kind), \(method),
                \(payment.amount.thousandths), \(payment.amount.currency), \(payment.capture), \(payment.status),
                \(payment.providerReference), \(payment.declineReason), \(payment.action?.url),
                \(payment.action?.clientSecret), \(payment.refunded.thousandths), \(payment.createdAt), \(payment.updatedAt))
            """)
    }

    /// Writes what may change. A reference that is known once is never forgotten.
    static func update(_ payment: Payment, in transaction: Transaction) throws {
        try transaction.send(
            """
            UPDATE payments SET status = \(payment.status),
                provider_reference = COALESCE(\(payment.providerReference), provider_reference),
                decline_reason = \(payment.declineReason), action_url = \(payment.action?.url),
                action_secret = \(payment.action?.clientSecret), refunded = \(payment.refunded.thousandths), updated_at = \(payment.updatedAt)
            WHERE id = \(payment.id)
            """)
    }

    private static func payment(_ row: inout Row) throws -> Payment {
        let (id, order): (PaymentID, OrderID) = (try row.next(), try row.next())
        let provider: String = try row.next()
        let method = PaymentMethod(kind: try row.next(), text: try row.next())
        let amount: Int64 = try row.next()
        let currency: Currency = try row.next()
        let (capture, status): (CaptureMode, PaymentStatus) = (try row.next(), try row.next())
        let (reference, reason): (String?, DeclineReason?) = (try row.next(), try row.next())
        let (url, secret): (String?, String?) = (try row.next(), try row.next())
        return Payment(
            id: id, order: order, provider: provider, method: method, amount: Money(thousandths: amount, currency),
            capture: capture, status: status, providerReference: reference, declineReason: reason,
            action: url == nil && secret == nil ? nil : PaymentAction(url: url, clientSecret: secret),
            refunded: Money(thousandths: try row.next(), currency), createdAt: try row.next(), updatedAt: try row.next()
        )
    }

    // MARK: Refunds

    private static let refundColumns: SQL =
        "id, payment, order_id, amount, currency, reason, status, created_at"

    static func insert(_ refund: Refund, in transaction: Transaction) throws {
        try transaction.send(
            """
            INSERT INTO refunds (\(refundColumns))
            VALUES (\(refund.id), \(refund.payment), \(refund.order), \(refund.amount.thousandths),
                \(refund.amount.currency), \(refund.reason), \(refund.status), \(refund.createdAt))
            """)
    }

    /// Ends a pending refund.
    ///
    /// - Returns: `false` where another has ended it meanwhile.
    static func settle(_ refund: RefundID, as status: RefundStatus, in transaction: Transaction) throws -> Bool {
        try transaction.execute("UPDATE refunds SET status = \(status) WHERE id = \(refund) AND status = 'pending'")
            == 1
    }

    static func refunds(of order: OrderID, in connection: Connection) throws -> [Refund] {
        try connection.all("SELECT \(refundColumns) FROM refunds WHERE order_id = \(order) ORDER BY id", refund)
    }

    static func intendedRefunds(at time: Timestamp, limit: Int, in connection: Connection) throws -> [Refund] {
        try connection.all(
            """
            SELECT \(refundColumns) FROM refunds WHERE status = 'pending'
            AND (attempt_until IS NULL OR attempt_until < \(time)) ORDER BY id LIMIT \(limit)
            """, refund)
    }

    /// Takes a pending refund in hand until a time.
    ///
    /// - Returns: how often it has been taken in hand, this time included; `nil` where another has it or it is done.
    static func take(
        _ refund: RefundID, at time: Timestamp, until: Timestamp, in transaction: Transaction
    ) throws -> Int? {
        try transaction.first(
            """
            UPDATE refunds SET attempt_until = \(until), attempts = attempts + 1
            WHERE id = \(refund) AND status = 'pending' AND (attempt_until IS NULL OR attempt_until < \(time))
            RETURNING attempts
            """
        ) { try $0.next() }
    }

    private static func refund(_ row: inout Row) throws -> Refund {
        let (id, payment): (RefundID, PaymentID) = (try row.next(), try row.next())
        let order: OrderID = try row.next()
        let amount: Int64 = try row.next()
        return try Refund(
            id: id, payment: payment, order: order, amount: Money(thousandths: amount, row.next()), reason: row.next(),
            status: row.next(), createdAt: row.next())
    }
}

extension PaymentStatus: SQLConvertible {}
extension CaptureMode: SQLConvertible {}
extension DeclineReason: SQLConvertible {}
extension RefundStatus: SQLConvertible {}

extension PaymentMethod {
    fileprivate var stored: (kind: String, text: String) {
        switch self {
        case .card(let token): ("card", token)
        case .external(let reference): ("external", reference)
        }
    }

    fileprivate init(kind: String, text: String) {
        self = kind == "external" ? .external(reference: text) : .card(token: text)
    }
}
