// SPDX-License-Identifier: Apache-2.0

internal import Web

/// How a developer from outside the shop makes an account.
enum SignUpPage {
    static let path = "/sign-up"

    static func form(
        shop: String, then: String, name: String, email: String, trouble: String?, formToken: String
    ) -> WebPage {
        let notice: HTML = trouble.map { "<p class=\"notice wrong\" role=\"alert\">\($0)</p>" } ?? ""
        return WebPage(
            title: "Sign up",
            body: """
                <section class="card"><h1>Build something for \(shop)</h1>\(notice)
                <form method="post" action="\(path)"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="then" value="\(then)">
                <label><span>Your name</span><input name="name" autocomplete="name" required autofocus maxlength="100"
                value="\(name)"></label>
                <label><span>Mail address</span><input name="email" type="email" autocomplete="username" required
                maxlength="254" value="\(email)"></label>
                <label><span>A password, 12 characters or more</span><input name="password" type="password" required
                autocomplete="new-password" minlength="12" maxlength="200"></label>
                <button class="whole">Sign up</button></form></section>
                <p class="quiet">An account lets you register apps and try them out. What belongs to the shop, or to its customers,
                an app reaches only when they let it. <a href="/sign-in?then=\(PercentEncoding.encode(then))">You have an
                account?</a></p>
                """)
    }

    static let closed = SignInPages.message(
        "Nobody signs up here", "The shop lets developers in itself. Ask it for an account.", isWrong: true)
}
