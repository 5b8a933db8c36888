// SPDX-License-Identifier: Apache-2.0

internal import Persistence
internal import Web

/// A link that was sent to an address, so that whoever reads what comes there chooses the password that goes with it.
struct PasswordLink: Sendable {
    let path: String
    /// Where there is none, or none any more.
    let over: WebPage
    /// What is said below the form.
    let note: String
    /// Whose password it is for; `nil` where the key is not good, or not any more. Looking spends nothing.
    let address: @Sendable (_ key: String) async throws -> String?
    /// Gives the hash of a password to the account, and spends the key.
    ///
    /// - Returns: where to sign in; `nil` where somebody was quicker.
    let open: @Sendable (_ key: String, _ password: String, Transaction) throws -> String?
}
