// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

enum AppKind: EntityKind { static let prefix = "app" }
typealias AppID = Identifier<AppKind>

/// What an app may do for itself, from one change of that to the next. A token names it, so that one from before its app may do
/// less is not good after.
enum InstallationKind: EntityKind { static let prefix = "ins" }
typealias InstallationID = Identifier<InstallationKind>

enum AppSecretKind: EntityKind { static let prefix = "sec" }
typealias AppSecretID = Identifier<AppSecretKind>

/// A program of another developer, which people let act in their name: a client of OAuth 2.1.
struct App: Sendable, Equatable {
    /// Whether it can keep a secret (OAuth 2.1 section 2.1).
    enum Confidentiality: String, CaseIterable, Sendable {
        /// Runs on a server.
        case confidential
        /// Runs at its users', who can read whatever is in it.
        case `public`
    }

    /// Whom it may ask to be let in.
    enum People: String, CaseIterable, Sendable {
        /// Who works in the shop.
        case staff
        case customers
        case everybody
    }

    let id: AppID
    /// Of developers from outside the shop; `nil` for the shop's own.
    let organization: OrganizationID?
    var name: String
    let confidentiality: Confidentiality
    var redirectURIs: [String]
    /// Whose pages may call the API from a browser, beside those to which people are sent back.
    var origins: [String]
    /// What it may ask people for.
    var scopes: ScopeSet
    /// What it may do for itself (`client_credentials`), because somebody of the shop lets it.
    var ownScopes: ScopeSet
    var people: People
    var tier: Tier
    /// Public keys by which it proves who it is in place of a secret (RFC 7523).
    var keys: [JWK]
    /// Whether its tokens are bound to a key of its (RFC 9449).
    var requiresBinding: Bool
    /// Whether it asks people by requests alone that it has pushed (RFC 9126 section 6).
    var requiresPush: Bool
    /// How its identity tokens are signed (OpenID Connect Dynamic Client Registration 1.0 section 2).
    var identityAlgorithm: SigningAlgorithm
    var homepage: String?
    /// The version of the API that it is written for.
    var apiVersion: String
    /// By which ways it gets tokens in people's names, where it has said so itself when it registered (RFC 7591); `nil` for an app
    /// that somebody has registered.
    var grantTypes: [String]?
    var installation: InstallationID
    let createdAt: Timestamp
    let createdBy: String
    var removedAt: Timestamp?
    var version: Int64

    /// Whether it may act in the name of `user`.
    func isFor(_ user: User) -> Bool {
        // Whoever develops from outside has nothing here that an app could act on.
        switch people {
        case .staff: !user.isCustomer && !user.isPartner
        case .customers: user.isCustomer
        case .everybody: !user.isPartner
        }
    }

    /// Whether the shop answers for it; otherwise its name and its addresses are its own choice.
    var isOfShop: Bool { organization == nil && grantTypes == nil }

    /// The grants by which an app acts in people's names.
    static let grantsOfPeople: Set = [
        "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
    ]

    func mayUse(_ grantType: String) -> Bool { grantTypes?.contains(grantType) ?? true }

    /// Whether it proves who it is by a secret.
    var hasSecret: Bool { confidentiality == .confidential && keys.isEmpty }

    func redirects(to uri: String) -> Bool { redirectURIs.contains { RedirectURI.matches(registered: $0, uri) } }
}

/// A secret of an app, as the shop knows it.
struct AppSecret: Sendable {
    let id: AppSecretID
    /// Its beginning, by which people recognise it.
    let hint: String
    let hash: [UInt8]
    let createdAt: Timestamp
    var expiresAt: Timestamp?

    func isValid(at time: Timestamp) -> Bool { expiresAt.map { time < $0 } ?? true }

    static let prefix = "vs_"

    static func make() -> String { prefix + RandomText.make() }

    static func hint(_ secret: String) -> String { String(secret.prefix(prefix.count + 6)) }
}

/// An app with what it proves itself by.
struct RegisteredApp: Sendable {
    let app: App
    let secrets: [AppSecret]
}

/// Where a browser is sent back to.
enum RedirectURI {
    /// - Returns: what is wrong with it, in words for the developer; `nil` where it can be registered.
    ///
    /// https; http to this machine by its address alone (RFC 8252 sections 7.3 and 8.3); a scheme of the app's own, which has a
    /// dot because it is a domain turned round (section 7.1).
    static func fault(in uri: String) -> String? {
        guard (1...500).contains(uri.utf8.count), uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "A redirect URI has 1 to 500 visible ASCII characters."
        }
        if uri.contains("#") { return "A redirect URI has no fragment." }
        if uri.contains("\\") || uri.contains("*") {
            return "A redirect URI is compared as it stands, without wildcards."
        }
        guard let colon = uri.firstIndex(of: ":") else { return "A redirect URI is absolute." }
        let scheme = uri[..<colon]
        let rest = uri[uri.index(after: colon)...]
        switch scheme {
        case "https": return authority(rest).map(isPlain) == true ? nil : "A redirect URI has a host and no user name."
        case "http":
            return loopback(uri) == nil ? "http is for 127.0.0.1 and [::1] alone; use https for other hosts." : nil
        default:
            let isOwn =
                scheme.contains(".") && !scheme.hasPrefix(".") && !scheme.hasSuffix(".")
                && scheme.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46 }
            return isOwn && rest.hasPrefix("/")
                ? nil : "A scheme of the app's own is a domain turned round, such as com.example.app:/back."
        }
    }

    /// Whether `uri` is the registered one, letter by letter; the port of this machine may be any (RFC 8252 section 7.3).
    static func matches(registered: String, _ uri: String) -> Bool {
        if registered == uri { return true }
        guard let known = loopback(registered), let asked = loopback(uri) else { return false }
        return known.host == asked.host && known.rest == asked.rest
    }

    /// Whether only a program on the user's machine can be behind it, of which nobody knows who made it.
    static func isNative(_ uri: String) -> Bool { !uri.hasPrefix("https:") }

    private static func loopback(_ uri: String) -> (host: Substring, rest: Substring)? {
        guard uri.hasPrefix("http://") else { return nil }
        let after = uri.dropFirst(7)
        guard let host = ["127.0.0.1", "[::1]"].first(where: { after.hasPrefix($0) }) else { return nil }
        var rest = after.dropFirst(host.count)
        if rest.hasPrefix(":") {
            rest = rest.dropFirst()
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let port = Int(digits), (1...65_535).contains(port) else { return nil }
            rest = rest.dropFirst(digits.count)
        }
        guard rest.isEmpty || rest.hasPrefix("/") || rest.hasPrefix("?") else { return nil }
        return (Substring(host), rest)
    }

    private static func authority(_ rest: Substring) -> Substring? {
        guard rest.hasPrefix("//") else { return nil }
        return rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
    }

    /// A host and perhaps a port, and nothing that means something in a header.
    private static func isPlain(_ authority: Substring) -> Bool {
        !authority.isEmpty
            && authority.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || [45, 46, 58, 91, 93].contains(byte)
            }
    }
}
