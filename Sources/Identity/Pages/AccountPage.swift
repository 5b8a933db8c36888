// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What somebody has allowed, and where they are signed in.
struct AccountPage {
    let visitor: SignIn.Visitor
    let sessions: [BrowserSession]
    let apps: [(app: AppID, name: String, scopes: ScopeSet, givenAt: Timestamp)]
    let notice: (text: String, isWrong: Bool)?
    let formToken: String
    let isSandbox: Bool

    var page: WebPage {
        let told: HTML =
            notice.map { notice in
                "<p class=\"notice\(notice.isWrong ? " wrong" : "" as HTML)\" role=\"status\">\(notice.text)</p>"
            } ?? ""
        return WebPage(
            title: "Your account",
            body: """
                <div class="bar"><h1>\(visitor.user.name)</h1>\(form("/sign-out", button: "Sign out"))</div>
                <p class="quiet">\(visitor.user.email), \(visitor.user.role) of this shop</p>\(told)
                <section class="card" aria-labelledby="apps"><h2 id="apps">Apps that act in your name</h2>\(appRows)</section>
                <section class="card" aria-labelledby="browsers"><h2 id="browsers">Where you are signed in</h2>\(sessionRows)</section>
                \(factor)\(password)\(sandbox)
                """, isWide: true)
    }

    private var appRows: HTML {
        guard !apps.isEmpty else { return "<p class=\"quiet\">None. An app asks you before it may.</p>" }
        let rows = apps.map { app -> HTML in
            """
            <li><div><p><strong>\(app.name)</strong></p>
            <p class="quiet">\(app.scopes.isEmpty ? "It has changed, and will ask you anew." : app.scopes.meanings(to: visitor.user).joined(separator: " · "))</p>
            <p class="quiet">since \(Self.day(app.givenAt))</p></div>
            \(form("/account/apps/remove", ("app", app.app.rawValue), button: "Remove", about: app.name))</li>
            """
        }
        return "<ul class=\"rows\">\(rows)</ul>"
    }

    private var sessionRows: HTML {
        let rows = sessions.map { session -> HTML in
            let isThis = session.id == visitor.session.id
            let end: HTML =
                isThis
                ? "<span class=\"quiet\">this browser</span>"
                : form("/account/sessions/end", ("session", session.id), button: "Sign out", about: session.agent)
            return """
                <li><div><p>\(Self.browser(session.agent))</p>
                <p class="quiet">\(session.address) · last seen \(Self.day(session.seenAt))</p></div>\(end)</li>
                """
        }
        return "<ul class=\"rows\">\(rows)</ul>"
    }

    private var factor: HTML {
        guard visitor.user.hasSecondFactor else {
            return """
                <section class="card" aria-labelledby="factor"><h2 id="factor">Second factor</h2>
                <p class="quiet">Whoever has your password can sign in. With an authenticator app they need a code from it, too.</p>
                <form method="post" action="/account/second-factor/offer"><input type="hidden" name="form_token" value="\(formToken)">
                \(Self.passwordField)<button class="plain small">Set it up</button></form></section>
                """
        }
        return """
            <section class="card" aria-labelledby="factor"><h2 id="factor">Second factor</h2>
            <p class="notice">On: signing in takes a code of your app.</p>
            <form method="post" action="/account/second-factor/remove"><input type="hidden" name="form_token" value="\(formToken)">
            \(Self.passwordField)
            <label><span>A code of the app, or one from paper</span><input class="code" name="code" required
            autocomplete="one-time-code" maxlength="20"></label>
            <button class="plain small">Take it off</button></form></section>
            """
    }

    private var sandbox: HTML {
        guard isSandbox, visitor.user.scopes.contains(.writeApps) else { return "" }
        return """
            <section class="card" aria-labelledby="sandbox"><h2 id="sandbox">This is a sandbox</h2>
            <p class="quiet">Taken back to its beginning, it forgets what everybody has made here, keys, people and passwords among it. Apps
            stay, and the key and the people that the shop tells.</p>
            \(form("/account/sandbox/reset", button: "Begin anew"))</section>
            """
    }

    private static let passwordField: HTML = """
        <label><span>Your password</span><input name="password" type="password" autocomplete="current-password" required></label>
        """

    private var password: HTML {
        """
        <section class="card" aria-labelledby="password"><h2 id="password">Change your password</h2>
        <form method="post" action="/account/password"><input type="hidden" name="form_token" value="\(formToken)">
        <input type="hidden" name="email" autocomplete="username" value="\(visitor.user.email)">
        <label><span>Present password</span><input name="password" type="password" autocomplete="current-password" required></label>
        <label><span>New password, 12 characters or more</span><input name="new_password" type="password"
        autocomplete="new-password" required minlength="12" maxlength="200"></label>
        <p class="quiet">Other browsers are signed out.</p><button>Change it</button></form></section>
        """
    }

    private func form(
        _ action: String, _ field: (name: String, value: String)? = nil, button: String, about: String? = nil
    ) -> HTML {
        let input: HTML = field.map { "<input type=\"hidden\" name=\"\($0.name)\" value=\"\($0.value)\">" } ?? ""
        let label: HTML = about.map { " aria-label=\"\(button): \($0)\"" } ?? ""
        return """
            <form method="post" action="\(action)"><input type="hidden" name="form_token" value="\(formToken)">\(input)\
            <button class="plain small"\(label)>\(button)</button></form>
            """
    }

    private static func day(_ time: Timestamp) -> String {
        String(time.rfc3339.prefix(16)).replacing("T", with: " ") + " UTC"
    }

    /// A browser and its system, as far as what it says of itself tells.
    private static func browser(_ agent: String) -> String {
        let name = [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
            .first { agent.contains($0.0) }?.1
        let system = [
            ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ].first { agent.contains($0.0) }?.1
        let known = [name, system].compactMap(\.self).joined(separator: " on ")
        return known.isEmpty ? (agent.isEmpty ? "Unknown browser" : String(agent.prefix(60))) : known
    }
}
