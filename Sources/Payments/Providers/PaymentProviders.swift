// SPDX-License-Identifier: Apache-2.0

/// The providers that this shop has money with.
struct PaymentProviders: Sendable {
    /// Takes new payments.
    let current: any PaymentProvider
    /// Those that took payments before.
    let others: [any PaymentProvider]
    let health = ProviderHealth()

    /// - Throws: ``PaymentsError/unknownProvider(_:)`` where the settings no longer name it.
    func provider(_ name: String) throws(PaymentsError) -> any PaymentProvider {
        guard let found = ([current] + others).first(where: { $0.name == name }) else { throw .unknownProvider(name) }
        return found
    }
}
