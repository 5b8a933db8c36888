// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
package import Web

// Developers from outside the shop make their accounts themselves.
extension IdentityModule {
    var signUpPages: [Endpoint] {
        [
            .exchange(.get, SignUpPage.path, "signUpPage", "Sign up as a developer", use: showSignUp),
            .exchange(.post, SignUpPage.path, "signUp", "Sign up as a developer", use: doSignUp),
        ] + pages(of: signUpLink, "signUpLinkPage", "useSignUpLink")
    }

    private var signUpLink: PasswordLink {
        let (signUps, isOpen) = (signUps, settings.isSignUpOpen)
        return PasswordLink(
            path: SignUpPage.linkPath, over: SignUpPage.over, note: "Then sign in, and register your first app.",
            address: { key in isOpen ? try await signUps?.link(with: key)?.email : nil },
            open: { key, password, transaction in
                try signUps?.open(with: key, password: password, in: transaction).map { Self.signIn(then: $0.then) }
            })
    }

    /// Where somebody signs in with a password that is new.
    private static func signIn(then: String) -> String {
        "/sign-in?again=1&new=1&then=" + PercentEncoding.encode(then)
    }

    private func showSignUp(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        if signUps != nil, exchange.query["sent"] != nil {
            return SignUpPage.sent.response(in: settings)
        }
        let browser = try await browser(exchange)
        return signUpPage(browser, then: Destination.safe(exchange.query["then"] ?? "/developers"))
    }

    private func signUpPage(
        _ browser: Browser, then: String, name: String = "", email: String = "", trouble: String? = nil,
        status: Int = 200
    ) -> WireResponse {
        guard settings.isSignUpOpen else { return SignUpPage.closed.response(404, in: settings) }
        let page = SignUpPage(
            then: then, name: name, email: email, trouble: trouble, takesPassword: signUps == nil,
            formToken: browser.formToken("sign-up"))
        return WebPage(page).response(status, in: settings, cookies: browser.cookies)
    }

    private func doSignUp(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("sign-up"), settings.isSignUpOpen else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        let (name, email) = (form["name"] ?? "", MailAddress.normal(form["email"] ?? ""))
        let then = Destination.safe(form["then"])
        func refused(_ trouble: String) -> WireResponse {
            signUpPage(browser, then: then, name: name, email: email, trouble: trouble, status: 422)
        }
        guard (1...100).contains(name.unicodeScalars.count), MailAddress.isOne(email) else {
            return refused("A name has 1 to 100 characters, and a mail address looks like name@example.com.")
        }
        if let signUps {
            guard Mail.isAddress(email) else { return refused("No mail can be sent to this address.") }
            // Each counts as what a stranger tries, so that nobody has letters sent by the thousand.
            try await call.noteFailedSignIn(from: exchange.address)
            try await call.write { try signUps.ask(.init(email: email, name: name, then: then), in: $0) }
            return WireResponse.seeOther(SignUpPage.path + "?sent=1")
        }
        do {
            let hash = try await users.hash(form["password"] ?? "")
            return try await signUpUnproved(call, exchange, name, email, hash, then: then)
        } catch IdentityError.passwordTooShort {
            return refused(PasswordLinkPage.passwordRule)
        }
    }

    /// Without mail nobody can ask whose an address is. Whether it has an account already is not said here; whoever tries to sign in
    /// next with a password of their own finds out. Each such attempt costs what a wrong password does.
    private func signUpUnproved(
        _ call: Call, _ exchange: Exchange, _ name: String, _ email: String, _ hash: String, then: String
    ) async throws -> WireResponse {
        let users = users
        try await call.noteFailedSignIn(from: exchange.address)
        try await call.write { transaction in
            do {
                try users.add(
                    email: email, name: name, role: Role.partner.name, password: hash, by: "sign-up", in: transaction)
            } catch IdentityError.emailTaken {}
        }
        return WireResponse.seeOther(Self.signIn(then: then))
    }
}

extension IdentityModule {
    /// Who is in front of a browser, for pages of other rooms.
    package var recogniseVisitor: RecogniseVisitor {
        { [self] exchange in
            let browser = try await browser(exchange)
            let person = browser.visitor.map { visitor in
                PageVisitor.Person(
                    name: visitor.user.name, email: visitor.user.email, principal: Self.principal(of: visitor.user))
            }
            return PageVisitor(
                person: person, formToken: browser.formToken("developers"), form: browser.form("developers"),
                cookies: browser.cookies)
        }
    }

    /// As whom the API is asked for somebody at the developers' pages: for what those are about and nothing else.
    private static func principal(of user: User) -> Principal {
        let scopes: Set<Scope> = [.readApps, .writeApps]
        return Principal(
            id: user.id.rawValue, name: user.name, scopes: user.isPartner ? scopes : user.scopes,
            user: user.id.rawValue, customer: user.customer, partner: user.isPartner ? user.id.rawValue : nil)
    }
}
