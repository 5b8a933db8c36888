// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import RateLimiting
package import Web

// What people see: signing in, saying what an app may do, and taking it back. Usable without any script.
extension IdentityModule {
    package var pageEndpoints: [Endpoint] {
        [
            .exchange(.get, "/sign-in", "signInPage", "Sign in", use: showSignIn),
            .exchange(.post, "/sign-in", "signIn", "Sign in", use: doSignIn),
            .exchange(.post, "/sign-in/code", "signInCode", "Sign in with a second factor", use: doSignInCode),
            .exchange(.post, "/sign-out", "signOut", "Sign out", use: signOut),
            .exchange(.get, "/oauth/authorize", "authorizePage", "What an app asks for", use: showAuthorize),
            // Apps may ask with a form, too (OpenID Connect Core 1.0 section 3.1.2.1).
            .exchange(.post, "/oauth/authorize", "authorizeForm", "What an app asks for", use: showAuthorize),
            .exchange(.post, "/oauth/decision", "decide", "Allow or refuse it", use: doAuthorize),
            .exchange(.get, "/device", "devicePage", "Connect a device", use: showDevice),
            .exchange(.post, "/device", "device", "Allow or refuse a device", use: doDevice),
            .exchange(.get, settings.pages.stylePath, "pageStyle", "How pages look") { [settings] _, _ in
                .file(settings.pages.style, "text/css; charset=utf-8")
            },
        ] + accountEndpoints + customerAccountPages + signUpPages
    }

    // MARK: Signing in

    private func showSignIn(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        let then = Destination.safe(exchange.query["then"])
        if browser.visitor != nil, exchange.query["again"] == nil { return WireResponse.seeOther(then) }
        return try await signInPage(browser, then: then, email: "", trouble: exchange.query["new"].map { _ in .new })
    }

    private func signInPage(
        _ browser: Browser, then: String, email: String, trouble: SignInPage.Trouble?, status: Int = 200
    ) async throws -> WireResponse {
        let waiting = await authorizationRequest(then)
        let page = SignInPage(
            app: waiting?.app.name, then: then, email: email, trouble, isSignUpOpen: settings.isSignUpOpen,
            formToken: browser.formToken("sign-in"))
        return WebPage(page, formTargets: FormTargets.targets(of: waiting)).response(
            status, in: settings, cookies: browser.cookies)
    }

    /// The request that waits behind the sign-in, where one does.
    private func authorizationRequest(_ then: String) async -> AuthorizationRequest? {
        guard then.hasPrefix("/oauth/authorize?"), let form = Form(encoded: String(then.dropFirst(17))) else {
            return nil
        }
        return try? await authorize.request(form)
    }

    private func doSignIn(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("sign-in") else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        let (email, then) = (form["email"] ?? "", Destination.safe(form["then"]))
        let outcome = try await signIn(
            email: email, password: form["password"] ?? "", isKnown: browser.isKnown(to: email),
            agent: exchange.header("User-Agent") ?? "", address: exchange.address?.description ?? "")
        switch outcome {
        case .signedIn(let secret, let email): return try await signedIn(browser, secret, email, then: then)
        case .needsCode(let user): return await codePage(browser, user, then: then, email: email, trouble: nil)
        case .wrong:
            try await call.noteFailedSignIn(from: exchange.address)
            return try await signInPage(browser, then: then, email: email, trouble: .wrong, status: 401)
        case .wait(let seconds):
            return try await signInPage(
                browser, then: then, email: email, trouble: .wait(seconds: seconds), status: 429)
        }
    }

    private func signedIn(
        _ browser: Browser, _ secret: String, _ email: String, then: String
    ) async throws -> WireResponse {
        if let before = browser.visitor { try await signIn.end(before.session.id, of: before.user.id) }
        return WireResponse.seeOther(then, cookies: browser.cookies(signingIn: secret, email, settings.sessionLifetime))
    }

    private func codePage(
        _ browser: Browser, _ user: UserID, then: String, email: String, trouble: SignInPage.Trouble?,
        status: Int = 200
    ) async -> WireResponse {
        let page = CodePage(
            then: then, email: email, ticket: browser.ticket(for: user, at: issue.clock.now()), trouble,
            formToken: browser.formToken("sign-in"))
        return WebPage(page, formTargets: FormTargets.targets(of: await authorizationRequest(then)))
            .response(status, in: settings)
    }

    private func doSignInCode(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("sign-in"),
            let user = browser.holder(of: form["ticket"] ?? "", at: issue.clock.now())
        else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        let (email, then) = (form["email"] ?? "", Destination.safe(form["then"]))
        let outcome = try await signIn.finish(
            user, code: form["code"] ?? "", agent: exchange.header("User-Agent") ?? "",
            address: exchange.address?.description ?? "")
        switch outcome {
        case .signedIn(let secret, let email): return try await signedIn(browser, secret, email, then: then)
        case .needsCode: return staleForm
        case .wrong:
            try await call.noteFailedSignIn(from: exchange.address)
            return await codePage(browser, user, then: then, email: email, trouble: .wrong, status: 401)
        case .wait(let seconds):
            return await codePage(
                browser, user, then: then, email: email, trouble: .wait(seconds: seconds), status: 429)
        }
    }

    private func signOut(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard browser.form("account") != nil else { return staleForm }
        if let visitor = browser.visitor { try await signIn.end(visitor.session.id, of: visitor.user.id) }
        return WireResponse.seeOther("/sign-in", cookies: browser.cookiesSigningOut)
    }

    // MARK: Apps

    private func showAuthorize(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await explaining(exchange) {
            let asked = exchange.method == .post ? exchange.form ?? Form(fields: []) : exchange.query
            let request = try await authorize.request(asked)
            let browser = try await browser(exchange)
            let consented = try await consented(browser.visitor, request.app)
            switch try step(request, browser.visitor, consented) {
            case .signIn:
                let again = browser.visitor == nil ? "" : "again=1&"
                let query = try await authorize.asking(request).encoded
                return WireResponse.seeOther(
                    "/sign-in?\(again)then=" + PercentEncoding.encode("/oauth/authorize?" + query))
            case .proceed:
                guard let visitor = browser.visitor else { return staleForm }
                return try await answer(request, visitor, consents: false)
            case .consent:
                guard let visitor = browser.visitor else { return staleForm }
                // What was pushed may be over when somebody has read the page; so the page holds it.
                let query = request.form.encoded
                let page = ConsentPage(
                    request, visitor, maker: try await maker(of: request.app, call), consented: consented,
                    query: query, formToken: browser.formToken(Self.purpose(request, query)))
                return WebPage(page, formTargets: FormTargets.targets(of: request))
                    .response(in: settings, cookies: browser.cookies)
            }
        }
    }

    /// The organisation from outside the shop whose app it is.
    private func maker(of app: App, _ call: Call) async throws -> String? {
        guard let id = app.organization else { return nil }
        return try await call.read { try OrganizationStore.find(id, in: $0)?.name }
    }

    private func doAuthorize(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await explaining(exchange) {
            let browser = try await browser(exchange)
            let query = exchange.form?["request"] ?? ""
            guard let visitor = browser.visitor, let asked = Form(encoded: query) else { return staleForm }
            let request = try await authorize.request(asked, isOurs: true)
            guard let form = browser.form(Self.purpose(request, query)) else { return staleForm }
            guard form["decision"] == "allow" else {
                throw AuthorizationRequest.Fault.toApp(
                    OAuthError(.accessDenied, "The user has refused."), request.app, redirectURI: request.redirectURI,
                    state: request.state)
            }
            return try await answer(request, visitor, consents: true)
        }
    }

    /// The token of a consent is for this very request of the app as it was shown, so that nothing else is allowed by it.
    private static func purpose(_ request: AuthorizationRequest, _ query: String) -> String {
        "consent \(request.app.version) \(query)"
    }

    private func consented(_ visitor: SignIn.Visitor?, _ app: App) async throws -> ScopeSet {
        guard let visitor else { return .empty }
        return try await authorize.consented(by: visitor.user.id, to: app.id)
    }

    private func step(
        _ request: AuthorizationRequest, _ visitor: SignIn.Visitor?, _ consented: ScopeSet
    ) throws -> AuthorizationRequest.Step {
        do throws(OAuthError) {
            let step = try request.step(
                authenticatedAt: visitor?.session.authenticatedAt, consented: consented,
                asked: authorize.asked(request), at: issue.clock.now())
            guard step == .signIn || visitor.map({ request.app.isFor($0.user) }) != false else {
                // An app that asks without the person's seeing it does not learn who they are, either.
                throw request.prompt.contains("none")
                    ? OAuthError(.loginRequired, "Nobody is signed in.")
                    : OAuthError(.accessDenied, "This app is not for who is signed in.")
            }
            return step
        } catch {
            throw AuthorizationRequest.Fault.toApp(
                error, request.app, redirectURI: request.redirectURI, state: request.state)
        }
    }

    private func answer(
        _ request: AuthorizationRequest, _ visitor: SignIn.Visitor, consents: Bool
    ) async throws -> WireResponse {
        let code = try await authorize.code(
            for: request, visitor.user, authenticatedAt: visitor.session.authenticatedAt, consents: consents)
        return WireResponse.seeOther(
            AuthorizationRequest.address(
                request.redirectURI, state: request.state, issuer: settings.issuer, [("code", code)]))
    }

    /// Puts what is wrong with a request before the app or before the person, as it says. Where nobody is signed in, an app that the
    /// shop does not answer for must not lead people from here to wherever it likes without their seeing it (RFC 9700 section
    /// 4.11.2).
    private func explaining(
        _ exchange: Exchange, _ body: () async throws -> WireResponse
    ) async throws -> WireResponse {
        do {
            return try await body()
        } catch AuthorizationRequest.Fault.toPerson(let text) {
            let page = WebPage.message("This app cannot be let in", text, isWrong: true)
            return page.response(400, in: settings)
        } catch AuthorizationRequest.Fault.toApp(let error, let app, let uri, let state) {
            let answer = [("error", error.code.rawValue), ("error_description", error.detail)]
            let address = AuthorizationRequest.address(uri, state: state, issuer: settings.issuer, answer)
            guard !app.isOfShop, try await browser(exchange).visitor == nil else {
                return WireResponse.seeOther(address)
            }
            return WebPage(RefusedPage(app, error, back: address)).response(400, in: settings)
        }
    }

    // MARK: Devices

    private func showDevice(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        let code = String((exchange.query["user_code"] ?? "").prefix(20))
        guard browser.visitor != nil else {
            let then = code.isEmpty ? "/device" : "/device?user_code=" + PercentEncoding.encode(code)
            return WireResponse.seeOther("/sign-in?then=" + PercentEncoding.encode(then))
        }
        // Even a code in the address is confirmed by hand (RFC 8628 section 3.3.1).
        let page = DevicePage(code, isUnknown: false, formToken: browser.formToken("device"))
        return WebPage(page).response(in: settings, cookies: browser.cookies)
    }

    private func doDevice(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("device"), let visitor = browser.visitor else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        let code = form["user_code"] ?? ""
        guard let (request, app) = try await devices.request(userCode: code) else {
            try await call.noteFailedSignIn(from: exchange.address)
            let page = DevicePage(
                String(code.prefix(20)), isUnknown: true, formToken: browser.formToken("device"))
            return WebPage(page).response(404, in: settings)
        }
        guard app.isFor(visitor.user) else {
            return WebPage.message(
                "\(app.name) is not for you",
                app.people == .customers ? "It is for customers of the shop." : "It is for those who work in the shop.",
                isWrong: true
            ).response(403, in: settings)
        }
        guard let decision = form["decision"] else {
            let page = DeviceConsentPage(
                app, request, visitor, maker: try await maker(of: app, call), formToken: browser.formToken("device"))
            return WebPage(page).response(in: settings)
        }
        let approves = decision == "allow"
        if approves, request.scopes.intersection(Authorize.allowed(visitor.user)).isEmpty {
            return WebPage.message(
                "There is nothing to give", "You may do none of what \(app.name) asks for. Refuse it, or ask who may.",
                isWrong: true
            ).response(403, in: settings)
        }
        guard try await devices.decide(request, app, visitor, approves: approves) else { return staleForm }
        let text = approves ? "You can go back to the device." : "The device has got nothing."
        return WebPage.message(approves ? "The device is connected" : "Refused", text)
            .response(in: settings)
    }

    // MARK: Every page

    func browser(_ exchange: Exchange) async throws -> Browser {
        try await Browser(exchange, signIn: signIn, keeper: keeper, settings: settings)
    }

    var staleForm: WireResponse {
        WebPage.message(
            "This page is out of date",
            "It was open for too long, or belongs to another browser. Go back and try again.",
            isWrong: true
        ).response(403, in: settings)
    }
}

/// Where somebody wanted to go before they had to sign in: a page of ours, whatever the address says (RFC 9700 section 4.11).
enum Destination {
    private static let pages = ["/oauth/authorize?", "/device", "/account", "/developers"]

    static func safe(_ text: String?) -> String {
        guard let text, text.utf8.count <= 16_000, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains("\\"), pages.contains(where: { text.hasPrefix($0) })
        else { return "/account" }
        return text
    }
}
