// SPDX-License-Identifier: Apache-2.0

internal import Web

/// What a customer sees who follows the link that the shop sent.
enum CustomerAccountPage {
    static let path = "/account-link"

    static func choose(shop: String, email: String, key: String, trouble: String?, formToken: String) -> WebPage {
        let notice: HTML = trouble.map { "<p class=\"notice wrong\" role=\"alert\">\($0)</p>" } ?? ""
        return WebPage(
            title: "Choose a password",
            body: """
                <section class="card"><h1>Your account at \(shop)</h1>\(notice)
                <p>You will sign in as <strong>\(email)</strong>.</p>
                <form method="post" action="\(path)"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="key" value="\(key)">
                <input type="hidden" name="email" autocomplete="username" value="\(email)">
                <label><span>A password, 12 characters or more</span><input name="password" type="password" required autofocus
                autocomplete="new-password" minlength="12" maxlength="200"></label>
                <button class="whole">Choose it</button></form></section>
                <p class="quiet">Apps can ask to act in your name. You say which, and can take it back in your account.</p>
                """)
    }

    static let taken = SignInPages.message(
        "This mail address has another account", "Ask the shop for a link to another address.", isWrong: true)

    static let over = SignInPages.message(
        "This link is over", "It was used before, replaced by a newer one, or is too old. Ask the shop for another.",
        isWrong: true)
}
