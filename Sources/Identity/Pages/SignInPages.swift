// SPDX-License-Identifier: Apache-2.0

internal import Web

/// Pages on the way in. Each form carries a token that only its own browser could have been given.
enum SignInPages {
    enum Trouble {
        /// None: somebody has just signed up.
        case new
        case wrong
        case wait(seconds: Int64)
    }

    static func signIn(
        shop: String, app: String?, then: String, email: String, _ trouble: Trouble?, isSignUpOpen: Bool,
        formToken: String, formTargets: [String]
    ) -> WebPage {
        let purpose: HTML = app.map { "<p>to go on to <strong>\($0)</strong></p>" } ?? ""
        return WebPage(
            title: "Sign in",
            body: """
                <section class="card"><h1>Sign in to \(shop)</h1>\(purpose)\(notice(trouble))
                <form method="post" action="/sign-in">
                <input type="hidden" name="form_token" value="\(formToken)"><input type="hidden" name="then" value="\(then)">
                <label><span>Mail address</span><input name="email" type="email" autocomplete="username" required\
                \(email.isEmpty ? " autofocus" as HTML : "") value="\(email)" maxlength="254"></label>
                <label><span>Password</span><input name="password" type="password" autocomplete="current-password" required\
                \(email.isEmpty ? "" : " autofocus" as HTML)></label>
                <button class="whole">Sign in</button></form></section>
                <p class="quiet">\(help(then, isSignUpOpen))</p>
                """, formTargets: formTargets)
    }

    private static func help(_ then: String, _ isSignUpOpen: Bool) -> HTML {
        guard isSignUpOpen, then.hasPrefix("/developers") else {
            return "The shop makes accounts, and sends you a link where you have lost your password."
        }
        let then = PercentEncoding.encode(then)
        return """
            You build something for the shop and have no account? <a href="\(SignUpPage.path)?then=\(then)">Sign up</a>
            """
    }

    static func code(
        then: String, email: String, ticket: String, _ trouble: Trouble?, formToken: String, formTargets: [String]
    ) -> WebPage {
        WebPage(
            title: "Sign in",
            body: """
                <section class="card"><h1>And a code</h1>\(notice(trouble, wrong: "The code is wrong, or was used before."))
                <form method="post" action="/sign-in/code">
                <input type="hidden" name="form_token" value="\(formToken)"><input type="hidden" name="then" value="\(then)">
                <input type="hidden" name="ticket" value="\(ticket)"><input type="hidden" name="email" value="\(email)">
                <label><span>Six digits from your app, or a code from paper</span><input class="code" name="code" required
                autofocus autocomplete="one-time-code" autocapitalize="off" spellcheck="false" maxlength="30"></label>
                <button class="whole">Sign in</button></form></section>
                <p class="quiet">Without either, an owner of the shop can take the second factor off your account.</p>
                """, formTargets: formTargets)
    }

    private static func notice(
        _ trouble: Trouble?, wrong: String = "The mail address or the password is wrong."
    ) -> HTML {
        switch trouble {
        case nil: ""
        case .new: "<p class=\"notice\" role=\"status\">Sign in with the password that you chose.</p>"
        case .wrong: "<p class=\"notice wrong\" role=\"alert\">\(wrong)</p>"
        case .wait(let seconds):
            "<p class=\"notice wrong\" role=\"alert\">Too many attempts. Try again in \(Int(seconds)) s.</p>"
        }
    }

    static func consent(
        _ request: AuthorizationRequest, _ visitor: SignIn.Visitor, shop: String, maker: String?, consented: ScopeSet,
        query: String, formToken: String, formTargets: [String]
    ) -> WebPage {
        let app = request.app
        let granted = request.scopes.intersection(Authorize.allowed(visitor.user))
        let withheld = request.scopes.subtracting(granted)
        let known = consented.intersection(granted)
        return WebPage(
            title: "Allow \(app.name)",
            body: """
                <section class="card"><h1>\(app.name) wants to use \(shop) in your name</h1>
                <p>You are <strong>\(visitor.user.name)</strong>, \(visitor.user.email).
                <a href="/sign-in?again=1&amp;then=\(PercentEncoding.encode("/oauth/authorize?" + query))">Not you?</a>
                \(homepage(app))</p>\(made(app, by: maker))
                <h2>It will be able to</h2>\(list(granted, visitor.user))\(withheld.isEmpty ? "" : not(withheld, visitor.user))
                \(known.isEmpty ? "" : "<p class=\"quiet\">You have allowed some of this before.</p>" as HTML)
                \(origin(request))
                <form method="post" action="/oauth/decision">
                <input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="request" value="\(query)">
                <div class="choice"><button name="decision" value="allow">Allow</button>
                <button class="plain" name="decision" value="refuse">Refuse</button></div></form></section>
                <p class="quiet">What you allow can be taken back at any time in <a href="/account">your account</a>.</p>
                """, formTargets: formTargets)
    }

    /// Strangers call themselves and their apps what they like, and the shop has asked nobody.
    private static func made(_ app: App, by maker: String?) -> HTML {
        if app.isOfShop { return "" }
        guard let maker else {
            return """
                <p class="notice">It has registered itself, and does not belong to the shop. Its name is its own choice.</p>
                """
        }
        return """
            <p class="notice">It is made by <strong>\(maker)</strong>, who does not belong to the shop. Both names are their own
            choice.</p>
            """
    }

    private static func homepage(_ app: App) -> HTML {
        guard let homepage = app.homepage else { return "" }
        return "<a href=\"\(homepage)\" rel=\"noreferrer noopener\" target=\"_blank\">About \(app.name)</a>"
    }

    static func list(_ scopes: ScopeSet, _ user: User, _ class: HTML = "scopes") -> HTML {
        "<ul class=\"\(`class`)\">\(scopes.meanings(to: user).map { "<li>\($0)</li>" as HTML })</ul>"
    }

    private static func not(_ scopes: ScopeSet, _ user: User) -> HTML {
        "<h2>It asks for more than you may allow</h2>\(list(scopes, user, "scopes not"))"
    }

    /// Where the answer goes; a program on one's own machine could be anybody's.
    private static func origin(_ request: AuthorizationRequest) -> HTML {
        let host = FormTargets.origin(of: request.redirectURI)
        guard RedirectURI.isNative(request.redirectURI) else {
            return "<p class=\"quiet\">You will be sent back to <strong>\(host)</strong>.</p>"
        }
        return """
            <p class="quiet">It runs on your device (<strong>\(host)</strong>). Go on only if you have just started it yourself.</p>
            """
    }

    // MARK: Devices

    static func deviceCode(_ code: String, isUnknown: Bool, formToken: String) -> WebPage {
        let notice: HTML =
            isUnknown
            ? "<p class=\"notice wrong\" role=\"alert\">No device waits with this code. Look at it again; codes last ten minutes.</p>"
            : ""
        return WebPage(
            title: "Connect a device",
            body: """
                <section class="card"><h1>Connect a device</h1>\(notice)
                <form method="post" action="/device"><input type="hidden" name="form_token" value="\(formToken)">
                <label><span>The code that it shows</span><input class="code" name="user_code" required autofocus
                autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20" value="\(code)"></label>
                <button class="whole">Go on</button></form></section>
                """)
    }

    static func deviceConsent(
        _ app: App, _ request: DeviceRequest, _ visitor: SignIn.Visitor, shop: String, maker: String?, formToken: String
    ) -> WebPage {
        let granted = request.scopes.intersection(Authorize.allowed(visitor.user))
        let withheld = request.scopes.subtracting(granted)
        let shown = "\(request.userCode.prefix(4))-\(request.userCode.suffix(4))"
        return WebPage(
            title: "Allow \(app.name)",
            body: """
                <section class="card"><h1>\(app.name) on a device wants to use \(shop) in your name</h1>
                <p>You are <strong>\(visitor.user.name)</strong>, \(visitor.user.email). The device shows
                <strong>\(shown)</strong>.</p>\(made(app, by: maker))
                <h2>It will be able to</h2>\(list(granted, visitor.user))\(withheld.isEmpty ? "" : not(withheld, visitor.user))
                <p class="quiet">Go on only if the device is before you. Somebody who sent you this code would get what you allow.</p>
                <form method="post" action="/device"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="user_code" value="\(request.userCode)">
                <div class="choice"><button name="decision" value="allow">Allow</button>
                <button class="plain" name="decision" value="refuse">Refuse</button></div></form></section>
                """)
    }

    /// For who is not signed in: what an app is told, and where it would have them go.
    static func refused(_ app: App, _ error: OAuthError, back address: String) -> WebPage {
        WebPage(
            title: "\(app.name) cannot go on",
            body: """
                <section class="card"><h1>\(app.name) cannot go on</h1>
                <p class="notice wrong" role="alert">\(error.detail)</p>
                <p>The app does not belong to the shop. Its name and its address are its own choice:
                <a href="\(address)" rel="noreferrer noopener">go back to \(FormTargets.origin(of: address))</a>, or close this page.</p>
                </section>
                """)
    }

    static func message(_ title: String, _ text: String, isWrong: Bool = false) -> WebPage {
        WebPage(
            title: title,
            body: """
                <section class="card"><h1>\(title)</h1><p class="notice\(isWrong ? " wrong" : "" as HTML)"\
                \(isWrong ? " role=\"alert\"" : "" as HTML)>\(text)</p>
                <p class="quiet"><a href="/account">Your account</a></p></section>
                """)
    }
}

/// Where a browser may be sent from a form, as its policy names it.
enum FormTargets {
    static func targets(of request: AuthorizationRequest?) -> [String] {
        request.map { [target(of: $0.redirectURI)] } ?? []
    }

    /// An app on the web may send people on from there, which browsers hold to the policy, too.
    static func target(of uri: String) -> String { uri.hasPrefix("https:") ? "https:" : origin(of: uri) }

    /// An origin as browsers send it, which leave out the port that the scheme has anyway.
    static func withoutUsualPort(_ origin: String) -> String {
        let usual = [("https:", ":443"), ("http:", ":80")].first { origin.hasPrefix($0.0) && origin.hasSuffix($0.1) }
        return String(origin.dropLast(usual?.1.count ?? 0))
    }

    /// Scheme, host and port; of a scheme of an app's own, the scheme.
    static func origin(of uri: String) -> String {
        let scheme = uri.prefix { $0 != ":" }
        guard scheme == "https" || scheme == "http" else { return scheme + ":" }
        let authority = uri.dropFirst(scheme.count + 3).prefix { $0 != "/" && $0 != "?" }
        return "\(scheme)://\(authority)"
    }
}
