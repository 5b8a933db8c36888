// SPDX-License-Identifier: Apache-2.0

internal import Resilience

/// What keeps a payment provider that is slow or down from taking the shop with it: a breaker, and a bound on what is under way.
struct ProviderGuard: Sendable {
    private let breaker: Breaker
    private let guards: Guards

    /// Calls under way for all orders of this process.
    private static let callsMax = 64

    init(_ provider: String) {
        var settings = BreakerSettings()
        // Twice what an attempt may take, so that those under way are seen before the window has moved on.
        settings.window = AuthorizePayment.deadline * 2
        settings.probeTime = AuthorizePayment.deadline + .seconds(2)
        settings.slowAfter = AuthorizePayment.deadline / 2
        breaker = Breaker(
            "payments.\(provider)", settings,
            judge: { error in
                switch error {
                // A no is an answer.
                case ProviderFault.refused, ProviderFault.busy: .success
                case is CancellationError: .ignored
                default: .failure
                }
            })
        guards = Guards(bulkhead: Bulkhead("payments.\(provider)", limit: Self.callsMax), breaker: breaker)
    }

    /// Whether it would be asked now.
    var isOpenForCalls: Bool { breaker.retryAfter == nil }

    /// - Throws: `BreakerOpen` or `BulkheadFull` where the provider was not asked, or what `ask` throws.
    func run<Result: Sendable>(_ ask: () async throws -> Result) async throws -> Result {
        try await guards.run { try await ask() }
    }
}
