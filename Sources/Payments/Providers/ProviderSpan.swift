// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Metrics
internal import Resilience
internal import Tracing

/// One attempt to get an answer out of a payment provider: its span, how long it took, and whether the provider is well.
struct ProviderSpan {
    let health: ProviderHealth

    func run<Result: Sendable>(
        _ name: String, at provider: any PaymentProvider, attempt: Int = 1, _ ask: () async throws -> Result
    ) async throws -> Result {
        let start = ContinuousClock.now
        func note(_ outcome: String) {
            Timer(
                label: "vitrine.payments.request.duration",
                dimensions: [("provider", provider.name), ("operation", name), ("outcome", outcome)]
            ).recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
        }
        do {
            let result = try await traced(name, at: provider, attempt, ask)
            health.answered()
            note("answered")
            return result
        } catch ProviderFault.refused(let reason) {
            // An answer, too.
            health.answered()
            note("refused")
            throw ProviderFault.refused(reason)
        } catch {
            // That there is no room says nothing of the provider.
            if !(error is BulkheadFull) { health.failed(error) }
            note(error is BreakerOpen || error is BulkheadFull ? "not_asked" : "failed")
            throw error
        }
    }

    private func traced<Result: Sendable>(
        _ name: String, at provider: any PaymentProvider, _ attempt: Int, _ ask: () async throws -> Result
    ) async throws -> Result {
        try await withSpan(name, ofKind: .client) { span in
            span.attributes = [
                "peer.service": .string(provider.name), "vitrine.payment.provider": .string(provider.name),
                "vitrine.payment.attempt": .int64(Int64(attempt)),
            ]
            let result = try await ask()
            if let outcome = result as? PaymentOutcome { span.attributes["vitrine.payment.outcome"] = outcome.word }
            return result
        }
    }
}

extension PaymentOutcome {
    fileprivate var word: String {
        switch self {
        case .authorized: "authorized"
        case .captured: "captured"
        case .declined(let reason): "declined: \(reason.rawValue)"
        case .requiresAction: "requires_action"
        case .unknown: "unknown"
        case .notFound: "not_found"
        }
    }
}
