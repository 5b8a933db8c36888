// SPDX-License-Identifier: Apache-2.0

internal import Web

/// What a customer sees who follows the link that the shop sent.
enum CustomerAccountPage {
    static let path = "/account-link"

    static let note: HTML = "Apps can ask to act in your name. You say which, and can take it back in your account."

    static let over = SignInPages.message(
        "This link is over", "It was used before, replaced by a newer one, or is too old. Ask the shop for another.",
        isWrong: true)
}
