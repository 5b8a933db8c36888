// SPDX-License-Identifier: Apache-2.0

internal import Catalog
internal import Customers
internal import Identity
internal import Inventory
internal import Jobs
internal import Ordering
internal import Payments
internal import Persistence
internal import Web

/// The schema's whole history, in the order in which it is applied. New ones go to the end of their slice.
enum Migrations {
    static let all: [Migration] =
        JobsModule.migrations
        + [IdempotencyStore.migration]
        + IdentityModule.migrations
        + CatalogModule.migrations
        + InventoryModule.migrations
        + CustomersModule.migrations
        + PaymentsModule.migrations
        + OrderingModule.migrations
        + [DeprecatedCalls.migration, RequestLog.migration]
}
