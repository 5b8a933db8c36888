// SPDX-License-Identifier: Apache-2.0

/// What somebody sees who follows a link with which they choose a password.
struct PasswordLinkPage: PageValues {
    static let passwordRule = "A password has 12 to 200 characters."

    let template = "password-link"
    let email: String
    let key: String
    let path: String
    let note: String
    let trouble: String?
    let formToken: String

    static let taken = WebPage.message(
        "This mail address has another account", "Ask the shop for a link to another address.", isWrong: true)
}

/// What a customer sees who follows the link that the shop sent.
enum CustomerAccountPage {
    static let path = "/account-link"

    static let note = "Apps can ask to act in your name. You say which, and can take it back in your account."

    static let over = WebPage.message(
        "This link is over", "It was used before, replaced by a newer one, or is too old. Ask the shop for another.",
        isWrong: true)
}
