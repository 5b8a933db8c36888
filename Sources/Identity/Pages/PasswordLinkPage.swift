// SPDX-License-Identifier: Apache-2.0

internal import Web

/// What somebody sees who follows a link with which they choose a password.
enum PasswordLinkPage {
    static let passwordRule = "A password has 12 to 200 characters."

    /// The field in which a new password is chosen.
    static let field: HTML = """
        <label><span>A password, 12 characters or more</span><input name="password" type="password" required
        autocomplete="new-password" minlength="12" maxlength="200"></label>
        """

    static func choose(
        shop: String, email: String, key: String, path: String, note: HTML, trouble: String?, formToken: String
    ) -> WebPage {
        WebPage(
            title: "Choose a password",
            body: """
                <section class="card"><h1>Your account at \(shop)</h1>\(notice(trouble))
                <p>You will sign in as <strong>\(email)</strong>.</p>
                <form method="post" action="\(path)"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="key" value="\(key)">
                <input type="hidden" name="email" autocomplete="username" value="\(email)">
                \(field)<button class="whole">Choose it</button></form></section>
                <p class="quiet">\(note)</p>
                """)
    }

    static func notice(_ trouble: String?) -> HTML {
        trouble.map { "<p class=\"notice wrong\" role=\"alert\">\($0)</p>" } ?? ""
    }

    static let taken = SignInPages.message(
        "This mail address has another account", "Ask the shop for a link to another address.", isWrong: true)
}
