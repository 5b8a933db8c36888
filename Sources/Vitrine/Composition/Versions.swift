// SPDX-License-Identifier: Apache-2.0

internal import Web

/// Every version of the API that is served, oldest first. A released one is never changed; what would break its clients becomes
/// a new one, with what makes the old from it.
enum Versions {
    static let all = APIVersions([
        APIRelease(
            "2026-11-27",
            additions: ["The first version: catalogue, stock, carts, orders, customers, payments, apps and keys."])
    ])
}
