// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Persistence
internal import Web

/// What opens the sandbox of a shop. Both derive it from one secret of the shop, so that neither has to tell the other, and it
/// is the same after the sandbox has begun anew.
///
/// None of it is worth anything in the shop itself, which stores no hash of it.
package struct TestCredentials: Sendable {
    private let keeper: SecretKeeper

    /// Those of the shop in `database`.
    package init(of database: Database) async throws {
        keeper = SecretKeeper(key: try await Secrets.load("sandbox", from: database))
    }

    /// An API key with every scope.
    package var administratorKey: String { APISecret.prefix + "test_" + text("administrator") }

    func secret(of app: AppID) -> String { AppSecret.prefix + "test_" + text("app " + app.rawValue) }

    /// That of all the people of the sandbox.
    package var password: String { String(text("people").prefix(20)) }

    /// Tells this shop from others; no secret.
    package var fingerprint: String { String(text("fingerprint").prefix(12)) }

    private func text(_ purpose: String) -> String { RandomText.text(keeper.tag("sandbox", purpose)) }
}
