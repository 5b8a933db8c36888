// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

// The page on which people see what they have allowed, and take it back.
extension IdentityModule {
    var accountEndpoints: [Endpoint] {
        [
            .exchange(.get, "/account", "accountPage", "Your account", use: showAccount),
            .exchange(.post, "/account/apps/remove", "removeApp", "Remove an app", use: removeApp),
            .exchange(.post, "/account/sessions/end", "endSession", "Sign out elsewhere", use: endSession),
            .exchange(
                .post, "/account/second-factor/offer", "offerSecondFactor", "Set up a second factor", use: offerFactor),
            .exchange(.post, "/account/second-factor", "addSecondFactor", "Add a second factor", use: addFactor),
            .exchange(.post, "/account/second-factor/remove", "removeSecondFactor", "Take it off", use: removeFactor),
            .exchange(.post, "/account/password", "changePassword", "Change your password", use: changePassword),
        ]
    }

    private func showAccount(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let visitor = browser.visitor else { return WireResponse.seeOther("/sign-in?then=/account") }
        let notice: (text: String, isWrong: Bool)? =
            switch exchange.query["done"] {
            case "removed": ("The app may do nothing in your name any more.", false)
            case "ended": ("That browser is signed out.", false)
            case "password": ("Your password is changed.", false)
            case "factor": ("Your password alone lets you in again.", false)
            default: nil
            }
        return try await accountPage(browser, visitor, notice: notice)
    }

    private func accountPage(
        _ browser: Browser, _ visitor: SignIn.Visitor, notice: (text: String, isWrong: Bool)?, status: Int = 200
    ) async throws -> WireResponse {
        let sessions = try await signIn.sessions(of: visitor.user.id)
        let apps = try await authorize.consents(of: visitor.user.id)
        let page = AccountPage(
            visitor, sessions: sessions, apps: apps, notice: notice, isSandbox: settings.isSandbox,
            formToken: browser.formToken("account"))
        return WebPage(page).response(status, in: settings)
    }

    private func removeApp(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await changing(exchange) { form, visitor in
            guard let app = form["app"].flatMap({ AppID($0) }) else { return nil }
            try await authorize.withdraw(app, by: visitor.user.id, tokens)
            return "removed"
        }
    }

    private func endSession(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        try await changing(exchange) { form, visitor in
            guard let session = form["session"] else { return nil }
            try await signIn.end(session, of: visitor.user.id)
            return "ended"
        }
    }

    private func changePassword(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("account"), let visitor = browser.visitor else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        do {
            let isRight = try await signIn.isRight(form["password"] ?? "", of: visitor.user)
            guard isRight else {
                return try await wrong("The present password is wrong.", call, exchange, browser, visitor)
            }
            let (users, hash) = (users, try await users.hash(form["new_password"] ?? ""))
            try await call.write {
                try users.setPassword(
                    hash, of: visitor.user.id, keeping: visitor.session.id, by: visitor.user.id.rawValue, in: $0)
            }
            return WireResponse.seeOther("/account?done=password")
        } catch IdentityError.passwordTooShort {
            return try await accountPage(
                browser, visitor, notice: ("A password has 12 to 200 characters.", true), status: 422)
        }
    }

    // MARK: The second factor

    /// Whoever has only the browser cannot put on one of theirs.
    private func offerFactor(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("account"), let visitor = browser.visitor, !visitor.user.hasSecondFactor else {
            return staleForm
        }
        try await call.requireSignInAllowed(from: exchange.address)
        guard try await signIn.isRight(form["password"] ?? "", of: visitor.user) else {
            return try await wrong("The present password is wrong.", call, exchange, browser, visitor)
        }
        let offer = try secondFactor.offer(to: visitor.user)
        return offerPage(browser, visitor, offer.secret, offer.closed, isWrong: false)
    }

    private func wrong(
        _ text: String, _ call: Call, _ exchange: Exchange, _ browser: Browser, _ visitor: SignIn.Visitor
    ) async throws -> WireResponse {
        try await call.noteFailedSignIn(from: exchange.address)
        return try await accountPage(browser, visitor, notice: (text, true), status: 403)
    }

    private func offerPage(
        _ browser: Browser, _ visitor: SignIn.Visitor, _ secret: [UInt8], _ closed: String, isWrong: Bool
    ) -> WireResponse {
        let address = OneTimeCode.address(secret, account: visitor.user.email, shop: settings.shopName)
        let page = SecondFactorPage(
            text: OneTimeCode.base32(secret), address: address, offer: closed, isWrong: isWrong,
            formToken: browser.formToken("account"))
        return WebPage(page).response(isWrong ? 422 : 200, in: settings)
    }

    private func addFactor(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("account"), let visitor = browser.visitor, !visitor.user.hasSecondFactor,
            let closed = form["offer"], let secret = secondFactor.secret(closed, of: visitor.user.id)
        else { return staleForm }
        guard let codes = try await secondFactor.accept(closed, code: form["code"] ?? "", by: visitor.user) else {
            return offerPage(browser, visitor, secret, closed, isWrong: true)
        }
        return WebPage(RecoveryCodesPage(codes: codes)).response(in: settings)
    }

    /// Nor take it off, which takes both factors.
    private func removeFactor(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("account"), let visitor = browser.visitor else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        let user = visitor.user.id
        guard try await signIn.isRight(form["password"] ?? "", of: visitor.user),
            try await signIn.isRightCode(form["code"] ?? "", of: visitor.user)
        else { return try await wrong("The password or the code is wrong.", call, exchange, browser, visitor) }
        let secondFactor = secondFactor
        try await call.write { try secondFactor.remove(from: user, by: user.rawValue, in: $0) }
        return WireResponse.seeOther("/account?done=factor")
    }

    /// Has `body` done for who is signed in, has `scope` and presses a button of the account's page, and goes on to `next`.
    package func pressed(
        _ exchange: Exchange, needing scope: Scope, then next: String, _ body: () async throws -> Void
    ) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard browser.form("account") != nil, let visitor = browser.visitor else { return staleForm }
        guard visitor.user.scopes.contains(scope) else {
            let text = "This takes a role with \(scope.rawValue)."
            return WebPage.message("You may not", text, isWrong: true).response(403, in: settings)
        }
        try await body()
        return WireResponse.seeOther(next)
    }

    private func changing(
        _ exchange: Exchange, _ body: (Form, SignIn.Visitor) async throws -> String?
    ) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("account"), let visitor = browser.visitor,
            let done = try await body(form, visitor)
        else { return staleForm }
        return WireResponse.seeOther("/account?done=" + done)
    }
}
