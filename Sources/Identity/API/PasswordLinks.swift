// SPDX-License-Identifier: Apache-2.0

internal import Web

extension IdentityModule {
    /// The page behind a link, and what it does.
    func pages(of link: PasswordLink, _ show: String, _ use: String) -> [Endpoint] {
        [
            .exchange(.get, link.path, show, "Choose a password") { call, exchange in
                // Programs that check mail open links, too.
                try await page(of: link, call, exchange, key: exchange.query["key"] ?? "", trouble: nil)
            },
            .exchange(.post, link.path, use, "Choose a password") { call, exchange in
                try await choosePassword(by: link, call, exchange)
            },
        ]
    }

    private func page(
        of link: PasswordLink, _ call: Call, _ exchange: Exchange, key: String, trouble: String?, status: Int = 200
    ) async throws -> WireResponse {
        guard let email = try await address(of: link, call, exchange, key: key) else { return over(link) }
        let browser = try await browser(exchange)
        let page = PasswordLinkPage(
            email: email, key: key, path: link.path, note: link.note, trouble: trouble,
            formToken: browser.formToken(Self.purpose(link, key)))
        return WebPage(page).response(status, in: settings, cookies: browser.cookies)
    }

    private func choosePassword(
        by link: PasswordLink, _ call: Call, _ exchange: Exchange
    ) async throws -> WireResponse {
        let browser = try await browser(exchange)
        let key = exchange.form?["key"] ?? ""
        guard let form = browser.form(Self.purpose(link, key)) else { return staleForm }
        // Before the password costs anything.
        guard try await address(of: link, call, exchange, key: key) != nil else { return over(link) }
        do {
            let hash = try await users.hash(form["password"] ?? "")
            let place = try await call.write { try link.open(key, hash, $0) }
            return place.map { WireResponse.seeOther($0) } ?? over(link)
        } catch IdentityError.passwordTooShort {
            return try await page(
                of: link, call, exchange, key: key, trouble: PasswordLinkPage.passwordRule, status: 422)
        } catch IdentityError.emailTaken {
            return PasswordLinkPage.taken.response(409, in: settings)
        }
    }

    /// A key that is none counts as what a stranger tries.
    private func address(
        of link: PasswordLink, _ call: Call, _ exchange: Exchange, key: String
    ) async throws -> String? {
        try await call.requireSignInAllowed(from: exchange.address)
        let address = try await link.address(key)
        if address == nil { try await call.noteFailedSignIn(from: exchange.address) }
        return address
    }

    private func over(_ link: PasswordLink) -> WireResponse { link.over.response(404, in: settings) }

    private static func purpose(_ link: PasswordLink, _ key: String) -> String { "password link \(link.path) \(key)" }
}
