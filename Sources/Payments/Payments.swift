// SPDX-License-Identifier: Apache-2.0

package import Jobs
package import Kernel
internal import Logging
package import Persistence
package import Resilience
internal import Web

/// The front door: money from customers, and back to them.
///
/// Decisions are written in the caller's transaction; providers are asked outside any.
package struct PaymentsModule: Sendable {
    let database: Database
    let clock: WallClock
    let outbox: Outbox
    private let providers: PaymentProviders
    private let authorization: AuthorizePayment
    private let settlement: SettlePayments

    /// After so long without an answer an authorisation has failed, and its outcome must be asked for.
    package static let authorizationTimeMax = AuthorizePayment.longest

    /// Whether customers may pay by themselves: not where nobody moves money but in tests, or anyone could call an order paid.
    package let areForCustomers: Bool

    /// New payments go to `stripe` where it is given, else to the sandbox; older ones stay with whom they were opened. In a
    /// shop that is a `trial` nobody expects that money moves.
    package init(
        database: Database, jobs: JobsModule, clock: WallClock, stripe: StripeSettings? = nil,
        faults: FaultInjector? = nil, isTrial: Bool = false
    ) {
        areForCustomers = stripe != nil || isTrial
        let logger = Logger(label: "vitrine.payments")
        let sandbox = SandboxProvider(database: database, clock: clock, sleep: { try await Task.sleep(for: $0) })
        let current: any PaymentProvider = stripe.map { StripeProvider($0) } ?? sandbox
        let providers = PaymentProviders(
            current: current, others: [sandbox], isGuarded: stripe?.isGuarded ?? true, faults: faults)
        self.database = database
        self.clock = clock
        self.providers = providers
        outbox = jobs.outbox
        authorization = AuthorizePayment(database: database, providers: providers, logger: logger)
        settlement = SettlePayments(
            database: database, providers: providers, outbox: jobs.outbox, clock: clock, logger: logger)
    }

    /// Whether the provider answers.
    package var providerHealth: ProviderHealth { providers.health }

    package static let migrations = PaymentsMigrations.all

    package var schedules: [Schedule] {
        let settlement = settlement
        return [Schedule("payments.settle", every: .seconds(5)) { try await settlement.run() }]
    }

    // MARK: In the caller's transaction

    /// Writes down that an order is to be paid. What was paid outside counts as captured.
    package func open(
        for order: OrderID, _ amount: Money, by method: PaymentMethod, capture: CaptureMode, in transaction: Transaction
    ) throws -> Payment {
        let now = clock.now()
        var payment = Payment(
            id: .make(at: now), order: order, provider: providers.current.name, method: method, amount: amount,
            capture: capture, status: .pending, refunded: .zero(amount.currency), createdAt: now, updatedAt: now)
        payment.providerReference = providers.current.reference(of: payment.idempotencyKey)
        if case .external(let reference) = method {
            payment.status = .captured
            payment.providerReference = reference
        }
        try PaymentStore.insert(payment, in: transaction)
        return payment
    }

    /// Writes down what a provider said.
    package func record(
        _ outcome: PaymentOutcome, for current: Payment, in transaction: Transaction
    ) throws -> Payment {
        var payment = current
        // Two may have asked; the one that comes later with less knowledge changes nothing.
        guard payment.status.isOpen else { return payment }
        payment.action = nil
        switch outcome {
        case .authorized(let reference): (payment.status, payment.providerReference) = (.authorized, reference)
        case .captured(let reference): (payment.status, payment.providerReference) = (.captured, reference)
        case .declined(let reason): (payment.status, payment.declineReason) = (.declined, reason)
        case .requiresAction(let reference, let action):
            (payment.status, payment.providerReference, payment.action) = (.requiresAction, reference, action)
        case .unknown: payment.status = .unknown
        case .notFound: return payment
        }
        payment.updatedAt = clock.now()
        try PaymentStore.update(payment, in: transaction)
        return payment
    }

    /// Decides to take money that was set aside; ``settle()`` does it.
    package func intendCapture(_ id: PaymentID, in transaction: Transaction) throws -> Payment {
        guard var payment = try PaymentStore.find(id, in: transaction) else { throw PaymentsError.notFound }
        guard payment.status == .authorized else { throw PaymentsError.notCapturable(payment.status) }
        payment.status = .capturePending
        payment.updatedAt = clock.now()
        try PaymentStore.update(payment, in: transaction)
        return payment
    }

    /// Decides to give everything back: a void where money was set aside, a refund where it was taken.
    package func intendReversal(
        _ id: PaymentID, reason: String, in transaction: Transaction
    ) throws {
        guard var payment = try PaymentStore.find(id, in: transaction) else { throw PaymentsError.notFound }
        switch payment.status {
        case .authorized, .requiresAction, .capturePending: payment.status = .voidPending
        case .captured:
            let left = try payment.amount.subtracting(payment.refunded)
            if !left.isZero { _ = try intendRefund(left, of: id, reason: reason, in: transaction) }
            return
        // What the provider knows of must be closed there, or it could still be paid.
        case .pending, .unknown: payment.status = payment.providerReference == nil ? .cancelled : .voidPending
        case .voidPending, .voided, .declined, .cancelled: return
        }
        payment.action = nil
        payment.updatedAt = clock.now()
        try PaymentStore.update(payment, in: transaction)
    }

    /// Decides to give back a part; ``settle()`` does it.
    package func intendRefund(
        _ amount: Money, of id: PaymentID, reason: String?, in transaction: Transaction
    ) throws -> Refund {
        guard var payment = try PaymentStore.find(id, in: transaction) else { throw PaymentsError.notFound }
        guard payment.status == .captured else { throw PaymentsError.notRefundable(payment.status) }
        let available = try payment.amount.subtracting(payment.refunded)
        guard amount.thousandths <= available.thousandths else {
            throw PaymentsError.refundTooLarge(available: available)
        }
        let now = clock.now()
        payment.refunded = try payment.refunded.adding(amount)
        payment.updatedAt = now
        try PaymentStore.update(payment, in: transaction)
        let refund = Refund(
            id: .make(at: now), payment: id, order: payment.order, amount: amount, reason: reason, status: .pending,
            createdAt: now)
        try PaymentStore.insert(refund, in: transaction)
        return refund
    }

    package func find(_ id: PaymentID, in connection: Connection) throws -> Payment? {
        try PaymentStore.find(id, in: connection)
    }

    package func payments(of order: OrderID, in connection: Connection) throws -> [Payment] {
        try PaymentStore.payments(of: order, in: connection)
    }

    package func refunds(of order: OrderID, in connection: Connection) throws -> [Refund] {
        try PaymentStore.refunds(of: order, in: connection)
    }

    // MARK: Outside any transaction

    /// Asks for the money. Takes at most ``authorizationTimeMax``.
    package func authorize(_ payment: Payment) async -> PaymentOutcome { await authorization.authorize(payment) }

    /// Asks what became of a payment.
    package func resolve(_ payment: Payment) async -> PaymentOutcome { await authorization.resolve(payment) }

    /// Asks for the money of a payment whose provider was not to be had when its order was taken, once it is back.
    ///
    /// - Returns: `nil` where nobody was promised that, or the provider is still away.
    package func completeLater(_ payment: Payment) async -> PaymentOutcome? {
        // An order whose client was told that its outcome is not known yet; one that was told nothing comes back itself.
        guard payment.status == .unknown, case .card = payment.method, providers.mayAskAgain(payment.provider) else {
            return nil
        }
        return await authorization.authorize(payment)
    }

    /// The customer took the second step.
    package func completeAction(_ payment: Payment, succeeded: Bool) async throws -> PaymentOutcome {
        guard let reference = payment.providerReference else { return .unknown }
        return try await providers.provider(payment.provider).completeAction(
            reference: reference, succeeded: succeeded)
    }

    /// The payment that a provider's notification is about; `nil` where it is about something that is not ours.
    ///
    /// A notification is only a hint: what became of the payment is asked of the provider.
    /// - Throws: ``PaymentsError/unsignedNotification``, ``PaymentsError/unknownProvider(_:)``.
    package func payment(
        notifiedBy provider: String, _ body: [UInt8], signature: String?
    ) async throws -> Payment? {
        let source = try providers.provider(provider)
        guard let reference = try source.reference(notifiedBy: body, signature: signature, at: clock.now()) else {
            return nil
        }
        return try await database.read { try PaymentStore.find(provider: provider, reference: reference, in: $0) }
    }

    /// Carries out what was decided. What fails is tried again by the chore.
    package func settle() async {
        do { try await settlement.run() } catch {
            settlement.logger.warning("Payment steps could not be worked off now", metadata: ["error": "\(error)"])
        }
    }
}
