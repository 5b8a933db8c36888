// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Logging
internal import Resilience

/// Asks a provider for money, outside any transaction, and always comes back with an outcome.
struct AuthorizePayment: Sendable {
    let provider: any PaymentProvider
    let logger: Logger

    /// One attempt may take so long.
    static let deadline = Duration.seconds(8)
    static let retry = RetryPolicy(attemptsMax: 2, firstPause: .milliseconds(200))
    /// Every attempt and pause together, with some room: after this no answer will come any more.
    static let longest = Duration.seconds(20)

    func authorize(_ payment: Payment) async -> PaymentOutcome {
        guard case .card(let token) = payment.method else { return .captured(reference: payment.id.rawValue) }
        let request = AuthorizationRequest(
            key: payment.idempotencyKey, amount: payment.amount, token: token, capture: payment.capture)
        return await outcome(of: payment) { try await provider.authorize(request) }
    }

    /// Asks what became of a payment whose outcome is not known.
    func resolve(_ payment: Payment) async -> PaymentOutcome {
        await outcome(of: payment) { try await provider.find(key: payment.idempotencyKey) }
    }

    private func outcome(
        of payment: Payment, _ ask: @escaping @Sendable () async throws -> PaymentOutcome
    ) async -> PaymentOutcome {
        do {
            // Only what says "try again" is tried again here: after silence, asking what happened is better.
            return try await Self.retry.run(isWorthRetrying: { $0 as? ProviderFault == .temporary }) { _ in
                try await withDeadline(Self.deadline) { try await ask() }
            }
        } catch {
            logger.warning(
                "A payment provider gave no usable answer",
                metadata: ["payment": "\(payment.id)", "provider": "\(provider.name)", "error": "\(error)"])
            return .unknown
        }
    }
}
