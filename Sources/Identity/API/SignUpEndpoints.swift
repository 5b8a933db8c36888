// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

// Developers from outside the shop make their accounts themselves.
extension IdentityModule {
    var signUpPages: [Endpoint] {
        [
            .exchange(.get, SignUpPage.path, "signUpPage", "Sign up as a developer", use: showSignUp),
            .exchange(.post, SignUpPage.path, "signUp", "Sign up as a developer", use: doSignUp),
        ]
    }

    private func showSignUp(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        return signUpPage(browser, then: Destination.safe(exchange.query["then"] ?? "/developers"))
    }

    private func signUpPage(
        _ browser: Browser, then: String, name: String = "", email: String = "", trouble: String? = nil,
        status: Int = 200
    ) -> WireResponse {
        guard settings.isSignUpOpen else { return SignUpPage.closed.response(404, shopName: settings.shopName) }
        let page = SignUpPage.form(
            shop: settings.shopName, then: then, name: name, email: email, trouble: trouble,
            formToken: browser.formToken("sign-up"))
        return page.response(status, shopName: settings.shopName, cookies: browser.cookies)
    }

    /// Whether the address has an account already is not said here. Whoever tries to sign in next with a password of their own
    /// finds out, because no mail is sent that could ask whose the address is; each such attempt costs what a wrong password does.
    private func doSignUp(_ call: Call, _ exchange: Exchange) async throws -> WireResponse {
        let browser = try await browser(exchange)
        guard let form = browser.form("sign-up"), settings.isSignUpOpen else { return staleForm }
        try await call.requireSignInAllowed(from: exchange.address)
        let (name, email) = (form["name"] ?? "", MailAddress.normal(form["email"] ?? ""))
        let then = Destination.safe(form["then"])
        guard (1...100).contains(name.unicodeScalars.count), MailAddress.isOne(email) else {
            return signUpPage(
                browser, then: then, name: name, email: email,
                trouble: "A name has 1 to 100 characters, and a mail address looks like name@example.com.",
                status: 422)
        }
        do {
            let (users, hash) = (users, try await users.hash(form["password"] ?? ""))
            // Each counts as what a stranger tries, so that nobody makes accounts by the thousand.
            try await call.noteFailedSignIn(from: exchange.address)
            try await call.write { transaction in
                do {
                    try users.add(
                        email: email, name: name, role: Role.partner.name, password: hash, by: "sign-up",
                        in: transaction)
                } catch IdentityError.emailTaken {}
            }
            return WireResponse.seeOther("/sign-in?again=1&new=1&then=" + PercentEncoding.encode(then))
        } catch IdentityError.passwordTooShort {
            return signUpPage(
                browser, then: then, name: name, email: email, trouble: "A password has 12 to 200 characters.",
                status: 422)
        }
    }

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
