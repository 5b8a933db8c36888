// SPDX-License-Identifier: Apache-2.0

internal import Tracing

/// The span of one attempt to get an answer out of a payment provider.
enum ProviderSpan {
    static func run<Result: Sendable>(
        _ name: String, at provider: any PaymentProvider, attempt: Int = 1, _ ask: () async throws -> Result
    ) async throws -> Result {
        try await withSpan(name, ofKind: .client) { span in
            span.attributes = [
                "vitrine.payment.provider": .string(provider.name), "vitrine.payment.attempt": .int64(Int64(attempt)),
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
