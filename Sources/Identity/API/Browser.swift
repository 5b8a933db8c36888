// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// The browser that a page is for: who is signed in there, and proof that its forms are ours.
struct Browser: Sendable {
    let visitor: SignIn.Visitor?
    private let exchange: Exchange
    private let keeper: SecretKeeper
    private let issuer: String
    private let names: CookieNames
    /// The secret in its cookie to which its forms are bound, before and after signing in.
    private let secret: String
    /// Whether it has that cookie already.
    private let isKnown: Bool

    init(_ exchange: Exchange, signIn: SignIn, keeper: SecretKeeper, settings: IdentitySettings) async throws {
        self.exchange = exchange
        self.keeper = keeper
        issuer = settings.issuer
        names = CookieNames(issuer: settings.issuer, isSandbox: settings.isSandbox)
        let session = exchange.cookie(names.session)
        var found: SignIn.Visitor?
        if let session { found = try await signIn.visitor(with: session) }
        visitor = found
        let known = found != nil ? session : exchange.cookie(names.visit)
        isKnown = known != nil
        secret = known ?? RandomText.make()
    }

    // MARK: Forms

    /// What a form for `purpose` carries, so that no other site can have sent it (RFC 9700 section 4.7).
    func formToken(_ purpose: String) -> String { RandomText.text(keeper.tag("form " + purpose, secret)) }

    /// The form that was sent; `nil` where it is not one of ours, for this purpose, from this browser.
    func form(_ purpose: String) -> Form? {
        guard isKnown, let form = exchange.form, let token = form["form_token"],
            token.isSame(as: formToken(purpose))
        else { return nil }
        if let origin = exchange.header("Origin"), origin != issuer { return nil }
        if let site = exchange.header("Sec-Fetch-Site"), site != "same-origin" { return nil }
        return form
    }

    // MARK: Between two steps

    /// How long somebody may take to find their phone.
    private static let ticketLifetime = Duration.seconds(300)

    /// That the password of `user` was right in this browser, just now.
    func ticket(for user: UserID, at now: Timestamp) -> String {
        let text = "\(user.rawValue).\(now.milliseconds)"
        return text + "." + RandomText.text(keeper.tag("ticket " + text, secret))
    }

    /// Whose password was right; `nil` where it was not in this browser, or long ago.
    func holder(of ticket: String, at now: Timestamp) -> UserID? {
        let parts = ticket.split(separator: ".").map(String.init)
        guard parts.count == 3, let user = UserID(parts[0]), let time = Int64(parts[1]) else { return nil }
        let given = Timestamp(milliseconds: time)
        guard self.ticket(for: user, at: given).isSame(as: ticket),
            given.duration(to: now) <= Self.ticketLifetime
        else { return nil }
        return user
    }

    // MARK: Cookies

    private struct CookieNames {
        let session: String
        let visit: String
        let known: String
        let attributes: String

        /// Over https the names say that no other host and no page without encryption can have set them (RFC 6265bis
        /// section 4.1.3.2).
        /// Cookies are not kept apart by port (section 8.5), as a sandbox may be from its shop.
        init(issuer: String, isSandbox: Bool) {
            let isSecure = issuer.hasPrefix("https:")
            let prefix = (isSecure ? "__Host-vitrine_" : "vitrine_") + (isSandbox ? "test_" : "")
            session = prefix + "session"
            visit = prefix + "visit"
            known = prefix + "known"
            // Lax, because people come here from the pages of apps.
            attributes = "; Path=/; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "")
        }
    }

    /// To be set with a page that has a form.
    var cookies: [String] {
        return isKnown ? [] : ["\(names.visit)=\(secret)\(names.attributes)"]
    }

    /// Whether somebody has signed in to this account here before.
    func isKnown(to email: String) -> Bool {
        guard let mark = exchange.cookie(names.known) else { return false }
        return mark.isSame(as: knownMark(email))
    }

    private func knownMark(_ email: String) -> String {
        RandomText.text(keeper.tag("known browser", MailAddress.normal(email)))
    }

    func cookies(signingIn session: String, _ email: String, _ lifetime: Duration) -> [String] {
        return [
            "\(names.session)=\(session)\(names.attributes); Max-Age=\(Int(lifetime / .seconds(1)))",
            "\(names.visit)=\(names.attributes); Max-Age=0",
            "\(names.known)=\(knownMark(email))\(names.attributes); Max-Age=31536000",
        ]
    }

    var cookiesSigningOut: [String] {
        return ["\(names.session)=\(names.attributes); Max-Age=0"]
    }
}
