// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Logging
internal import Persistence
internal import Resilience

/// Asks a provider for money, outside any transaction, and always comes back with an outcome.
struct AuthorizePayment: Sendable {
    let database: Database
    let providers: PaymentProviders
    let logger: Logger

    /// One attempt may take so long.
    static let deadline = Duration.seconds(8)
    static let retry = RetryPolicy(
        attemptsMax: 2, firstPause: .milliseconds(200), budget: RetryBudget("payments", share: 0.2, perSecondMin: 5))
    /// Everything together may take so long.
    private static let timeMax = Duration.seconds(18)
    /// Left of the caller's time for writing down what came of it.
    private static let reserve = Duration.seconds(1)
    /// With some room: after this no answer will come any more.
    static let longest = Duration.seconds(20)

    func authorize(_ payment: Payment) async -> PaymentOutcome {
        guard case .card(let token) = payment.method else { return .captured(reference: payment.id.rawValue) }
        let request = AuthorizationRequest(
            key: payment.idempotencyKey, amount: payment.amount, token: token, capture: payment.capture)
        return await outcome(of: payment) { provider in
            let reference = try await reference(of: payment, request, at: provider)
            return try await attempts("payment.authorize", at: provider) {
                try await provider.authorize(request, reference: reference)
            }
        }
    }

    /// Asks what became of a payment whose outcome is not known.
    func resolve(_ payment: Payment) async -> PaymentOutcome {
        // Money is asked for only under a reference that is on disk.
        guard let reference = payment.providerReference else { return .notFound }
        return await outcome(of: payment) { provider in
            try await attempts("payment.find", at: provider) { try await provider.find(reference: reference) }
        }
    }

    /// The provider's reference, on disk.
    private func reference(
        of payment: Payment, _ request: AuthorizationRequest, at provider: any PaymentProvider
    ) async throws -> String {
        if let known = payment.providerReference { return known }
        let opened = try await attempts("payment.open", at: provider) { try await provider.open(request) }
        // Another attempt may have opened one meanwhile; then that is the one to pay by.
        return try await database.write { transaction in
            try PaymentStore.setReference(opened, of: payment.id, in: transaction)
            return try PaymentStore.find(payment.id, in: transaction)?.providerReference ?? opened
        }
    }

    /// Only what says "try again" is tried again here: after silence, asking what happened is better.
    private func attempts<Result: Sendable>(
        _ name: String, at provider: any PaymentProvider, _ ask: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Self.retry.run(advice: Self.advice) { attempt in
            try await providers.ask(name, at: provider, attempt: attempt) {
                try await withDeadline(Self.deadline) { try await ask() }
            }
        }
    }

    private static func advice(_ error: any Error) -> RetryPolicy.Advice {
        switch error as? ProviderFault {
        case .temporary(let pause?): .retryAfter(pause)
        case .temporary, .busy: .retry
        case .noAnswer, .refused, nil: .giveUp
        }
    }

    /// No longer than the caller waits, who is told that the outcome is not known yet.
    private var patience: Duration {
        guard let left = Deadline.current?.remaining else { return Self.timeMax }
        return max(.milliseconds(1), min(Self.timeMax, left - min(Self.reserve, left / 2)))
    }

    private func outcome(
        of payment: Payment, _ ask: @escaping @Sendable (any PaymentProvider) async throws -> PaymentOutcome
    ) async -> PaymentOutcome {
        do {
            let provider = try providers.provider(payment.provider)
            return try await withDeadline(patience) { try await ask(provider) }
        } catch {
            logger.warning(
                "A payment provider gave no usable answer",
                metadata: ["payment": "\(payment.id)", "provider": "\(payment.provider)", "error": "\(error)"])
            return .unknown
        }
    }
}
