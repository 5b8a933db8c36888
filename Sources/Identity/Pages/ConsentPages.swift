// SPDX-License-Identifier: Apache-2.0

internal import Web

/// What an app asks somebody for.
struct ConsentPage: PageValues {
    let template = "consent"
    let app: String
    let homepage: String?
    let person: String
    let email: String
    /// Where somebody else signs in.
    let notYou: String
    let wishes: Wishes
    let isPartlyKnown: Bool
    /// Where the answer goes.
    let origin: String
    let isOnDevice: Bool
    /// What the app asked, to be given back with the decision.
    let request: String
    let formToken: String

    init(
        _ request: AuthorizationRequest, _ visitor: SignIn.Visitor, maker: String?, consented: ScopeSet, query: String,
        formToken: String
    ) {
        (app, homepage) = (request.app.name, request.app.homepage)
        wishes = Wishes(request.app, by: maker, request.scopes, visitor.user)
        (person, email) = (visitor.user.name, visitor.user.email)
        notYou = "/sign-in?again=1&then=" + PercentEncoding.encode("/oauth/authorize?" + query)
        isPartlyKnown = !consented.intersection(wishes.allowed).isEmpty
        origin = FormTargets.origin(of: request.redirectURI)
        isOnDevice = RedirectURI.isNative(request.redirectURI)
        (self.request, self.formToken) = (query, formToken)
    }
}

/// The same for an app on a device that has no browser.
struct DeviceConsentPage: PageValues {
    let template = "device-consent"
    let app: String
    let person: String
    let email: String
    let wishes: Wishes
    /// As the device shows it.
    let code: String
    let userCode: String
    let formToken: String

    init(_ app: App, _ request: DeviceRequest, _ visitor: SignIn.Visitor, maker: String?, formToken: String) {
        (self.app, person, email) = (app.name, visitor.user.name, visitor.user.email)
        wishes = Wishes(app, by: maker, request.scopes, visitor.user)
        code = "\(request.userCode.prefix(4))-\(request.userCode.suffix(4))"
        (userCode, self.formToken) = (request.userCode, formToken)
    }
}

/// Whose app it is, and which of its scopes somebody may allow, in words.
struct Wishes {
    /// Of nobody that the shop knows.
    let isUnowned: Bool
    /// Whoever it belongs to, where that is not the shop.
    let maker: String?
    let allowed: ScopeSet
    let granted: [String]
    let withheld: [String]
    let isWithheld: Bool

    init(_ app: App, by maker: String?, _ scopes: ScopeSet, _ user: User) {
        (self.maker, isUnowned) = (app.isOfShop ? nil : maker, !app.isOfShop && maker == nil)
        allowed = scopes.intersection(Authorize.allowed(user))
        granted = allowed.meanings(to: user)
        withheld = scopes.subtracting(allowed).meanings(to: user)
        isWithheld = !withheld.isEmpty
    }
}

/// Where somebody types the code that a device shows.
struct DevicePage: PageValues {
    let template = "device"
    let code: String
    let trouble: String?
    let formToken: String

    init(_ code: String, isUnknown: Bool, formToken: String) {
        (self.code, self.formToken) = (code, formToken)
        trouble =
            isUnknown ? "No device waits with this code. Look at it again; codes last ten minutes." : nil
    }
}

/// For who is not signed in: what an app is told, and where it would have them go.
struct RefusedPage: PageValues {
    let template = "refused"
    let app: String
    let trouble: String
    let address: String
    let origin: String

    init(_ app: App, _ error: OAuthError, back address: String) {
        (self.app, trouble, self.address) = (app.name, error.detail, address)
        origin = FormTargets.origin(of: address)
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
