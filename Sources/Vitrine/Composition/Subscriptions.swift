// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Identity
package import Jobs
internal import Ordering

extension Shop {
    /// Who hears which event.
    package var relay: Relay {
        // stock.availability_changed, order.placed: in stock or not, and how often it was sold.
        jobs.relay(
            catalog.subscriptions + [
                // payment.captured: the order is paid.
                ordering.subscription,
                // Whatever somebody may have to answer for.
                identity.auditSubscription,
                // customer.erased: the account ends.
                identity.erasureSubscription,
            ])
    }
}
