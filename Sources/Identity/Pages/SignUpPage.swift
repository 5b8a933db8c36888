// SPDX-License-Identifier: Apache-2.0

internal import Web

/// How a developer from outside the shop makes an account.
enum SignUpPage {
    static let path = "/sign-up"
    static let confirmPath = "/sign-up/confirm"
    static let passwordRule = "A password has 12 to 200 characters."

    static func form(
        shop: String, then: String, name: String, email: String, trouble: String?, takesPassword: Bool,
        formToken: String
    ) -> WebPage {
        let password: HTML = """
            <label><span>A password, 12 characters or more</span><input name="password" type="password" required
            autocomplete="new-password" minlength="12" maxlength="200"></label>
            """
        return WebPage(
            title: "Sign up",
            body: """
                <section class="card"><h1>Build something for \(shop)</h1>\(notice(trouble))
                <form method="post" action="\(path)"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="then" value="\(then)">
                <label><span>Your name</span><input name="name" autocomplete="name" required autofocus maxlength="100"
                value="\(name)"></label>
                <label><span>Mail address</span><input name="email" type="email" autocomplete="username" required
                maxlength="254" value="\(email)"></label>
                \(takesPassword ? password : "")<button class="whole">Sign up</button></form></section>
                <p class="quiet">An account lets you register apps and try them out. What belongs to the shop, or to its customers,
                an app reaches only when they let it. <a href="/sign-in?then=\(PercentEncoding.encode(then))">You have an
                account?</a>\(takesPassword ? "" : " If you have lost its password, sign up again.")</p>
                """)
    }

    private static func notice(_ trouble: String?) -> HTML {
        trouble.map { "<p class=\"notice wrong\" role=\"alert\">\($0)</p>" } ?? ""
    }

    /// Behind the link that was sent.
    static func choose(shop: String, email: String, key: String, trouble: String?, formToken: String) -> WebPage {
        WebPage(
            title: "Choose a password",
            body: """
                <section class="card"><h1>Your account at \(shop)</h1>\(notice(trouble))
                <p>You will sign in as <strong>\(email)</strong>.</p>
                <form method="post" action="\(confirmPath)"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="key" value="\(key)">
                <input type="hidden" name="email" autocomplete="username" value="\(email)">
                <label><span>A password, 12 characters or more</span><input name="password" type="password" required autofocus
                autocomplete="new-password" minlength="12" maxlength="200"></label>
                <button class="whole">Choose it</button></form></section>
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
