// SPDX-License-Identifier: Apache-2.0

internal import Web

/// How a developer from outside the shop makes an account.
struct SignUpPage: PageValues {
    static let path = "/sign-up"
    static let linkPath = "/sign-up/confirm"

    let template = "sign-up"
    let then: String
    let name: String
    let email: String
    let trouble: String?
    let takesPassword: Bool
    let signIn: String
    let formToken: String

    init(then: String, name: String, email: String, trouble: String?, takesPassword: Bool, formToken: String) {
        (self.then, self.name, self.email, self.trouble) = (then, name, email, trouble)
        (self.takesPassword, self.formToken) = (takesPassword, formToken)
        signIn = "/sign-in?then=" + PercentEncoding.encode(then)
    }

    static let sent = WebPage.message(
        "Look into your mailbox",
        "A mail is on its way there, with a link to go on with. If it does not come, look among what was taken for spam."
    )

    static let over = WebPage.message(
        "This link is over", "It was used before, or is too old. Sign up again, and another one is sent.", isWrong: true
    )

    static let closed = WebPage.message(
        "Nobody signs up here", "The shop lets developers in itself. Ask it for an account.", isWrong: true)
}
