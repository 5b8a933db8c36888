// SPDX-License-Identifier: Apache-2.0

internal import Resilience

/// The providers that this shop has money with.
struct PaymentProviders: Sendable {
    /// Takes new payments.
    let current: any PaymentProvider
    /// Those that took payments before.
    private let others: [any PaymentProvider]
    private let guards: [String: ProviderGuard]
    private let faults: FaultInjector?
    let health = ProviderHealth()

    /// With `isGuarded`, what is slow or down is left alone for a while. `faults` are done to every provider, at the edge
    /// `payment`.
    init(
        current: any PaymentProvider, others: [any PaymentProvider], isGuarded: Bool = true,
        faults: FaultInjector? = nil
    ) {
        self.current = current
        self.others = others
        self.faults = faults
        let remote = ([current] + others).filter { isGuarded && ($0.isRemote || faults != nil) }
        guards = Dictionary(remote.map { ($0.name, ProviderGuard($0.name)) }) { first, _ in first }
    }

    /// - Throws: ``PaymentsError/unknownProvider(_:)`` where the settings no longer name it.
    func provider(_ name: String) throws(PaymentsError) -> any PaymentProvider {
        guard let found = ([current] + others).first(where: { $0.name == name }) else { throw .unknownProvider(name) }
        return found
    }

    /// One attempt to get an answer out of a provider: measured, traced, and not made while the provider is down.
    func ask<Result: Sendable>(
        _ name: String, at provider: any PaymentProvider, attempt: Int = 1, _ ask: () async throws -> Result
    ) async throws -> Result {
        try await ProviderSpan(health: health).run(name, at: provider, attempt: attempt) {
            guard let guarding = guards[provider.name] else { return try await faulty(name, at: provider, ask) }
            return try await guarding.run { try await faulty(name, at: provider, ask) }
        }
    }

    private func faulty<Result: Sendable>(
        _ name: String, at provider: any PaymentProvider, _ ask: () async throws -> Result
    ) async throws -> Result {
        guard let faults else { return try await ask() }
        return try await faults.run(
            at: "payment", facts: ["operation": name, "provider": provider.name],
            refusal: { _ in ProviderFault.noAnswer }, ask)
    }

    /// Whether a provider that gave no answer may be asked again on nobody's behalf.
    func mayAskAgain(_ name: String) -> Bool { guards[name]?.isOpenForCalls ?? false }
}
