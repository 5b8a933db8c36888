// SPDX-License-Identifier: Apache-2.0

internal import Web

/// How a developer from outside the shop makes an account.
enum SignUpPage {
    static let path = "/sign-up"
    static let linkPath = "/sign-up/confirm"

    static func form(
        shop: String, then: String, name: String, email: String, trouble: String?, takesPassword: Bool,
        formToken: String
    ) -> WebPage {
        WebPage(
            title: "Sign up",
            body: """
                <section class="card"><h1>Build something for \(shop)</h1>\(PasswordLinkPage.notice(trouble))
                <form method="post" action="\(path)"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="then" value="\(then)">
                <label><span>Your name</span><input name="name" autocomplete="name" required autofocus maxlength="100"
                value="\(name)"></label>
                <label><span>Mail address</span><input name="email" type="email" autocomplete="username" required
                maxlength="254" value="\(email)"></label>
                \(takesPassword ? PasswordLinkPage.field : "")<button class="whole">Sign up</button></form></section>
                <p class="quiet">An account lets you register apps and try them out. What belongs to the shop, or to its customers,
                an app reaches only when they let it. <a href="/sign-in?then=\(PercentEncoding.encode(then))">You have an
                account?</a>\(takesPassword ? "" : " If you have lost its password, sign up again.")</p>
                """)
    }

    static let sent = SignInPages.message(
        "Look into your mailbox",
        "A mail is on its way there, with a link to go on with. If it does not come, look among what was taken for spam."
    )

    static let over = SignInPages.message(
        "This link is over", "It was used before, or is too old. Sign up again, and another one is sent.", isWrong: true
    )

    static let closed = SignInPages.message(
        "Nobody signs up here", "The shop lets developers in itself. Ask it for an account.", isWrong: true)
}
