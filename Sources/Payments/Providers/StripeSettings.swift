// SPDX-License-Identifier: Apache-2.0

/// The account at Stripe, or at a server that speaks the same API.
package struct StripeSettings: Sendable {
    /// The account's secret key, `sk_…`.
    package let secretKey: String
    /// The secret of the endpoint that notifications are sent to, `whsec_…`; none are taken without.
    package let notificationSecret: String?
    /// Where the API is. Default `https://api.stripe.com`.
    package var address: String
    /// Where a customer comes back to from the bank's page. Without, the bank's step is taken by Stripe's own script with
    /// the payment's `client_secret`.
    package let returnURL: String?
    /// Whether it is left alone for a while when it is slow or down. Default true; without, every order waits for it.
    package var isGuarded = true

    package init(
        secretKey: String, notificationSecret: String? = nil, address: String = "https://api.stripe.com",
        returnURL: String? = nil
    ) {
        self.secretKey = secretKey
        self.notificationSecret = notificationSecret
        self.address = address
        self.returnURL = returnURL
    }
}
