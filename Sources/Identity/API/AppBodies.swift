// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

struct AppPath: WireBody {
    let id: AppID
    static let schema = Schema.object("AppPath", AppPath.init, .required("id", \.id, .id()))
}

struct AppFilter: WireBody {
    let organization: OrganizationID?
    static let schema = Schema.object(
        "AppFilter", AppFilter.init, .optional("organization_id", \.organization, .id(), "Whose they are."))
}

struct AppInput: WireBody {
    let organization: OrganizationID?
    let name: String
    let type: App.Confidentiality
    let redirectURIs: [String]
    let origins: [String]
    let scopes: [String]
    let ownScopes: [Scope]
    let people: App.People
    let tier: Tier
    let jwks: JSON?
    let requiresBinding: Bool
    let requiresPush: Bool
    let identityAlgorithm: SigningAlgorithm
    let homepage: String?
    let apiVersion: String?

    static let schema = Schema.object(
        "AppInput", AppInput.init,
        .optional(
            "organization_id", \.organization, .id(), "Of developers from outside the shop; the shop's own without."),
        .required("name", \.name, .string(1...100), "What people are asked about."),
        .standard(
            "type", \.type, .word, .confidential, "confidential on a server; public where its users can read it."),
        .standard(
            "redirect_uris", \.redirectURIs, .array(of: .string(1...500), countMax: 20), [],
            "Where people are sent back to, compared letter by letter."),
        .standard(
            "allowed_origins", \.origins, .array(of: .origin, countMax: 20), [],
            "Whose pages may call the API from a browser, beside those of `redirect_uris`."),
        .standard("scopes", \.scopes, .array(of: .scopeName, countMax: 50), [], "What it may ask people for."),
        .standard(
            "own_scopes", \.ownScopes, .array(of: .word, countMax: 50), [],
            "What it may do for itself, by client_credentials."),
        .standard(
            "people", \.people, .word, .staff, "Whom it may ask: staff of the shop, its customers, or everybody."),
        .standard("tier", \.tier, .word, .standard, "How much it may use."),
        .optional(
            "jwks", \.jwks, .metadata, "Public keys by which it proves who it is in place of a secret (RFC 7523)."),
        .standard(
            "dpop_bound", \.requiresBinding, .boolean, false, "Whether its tokens are bound to a key (RFC 9449)."),
        .standard(
            "require_pushed_requests", \.requiresPush, .boolean, false,
            "Whether people are asked only by requests that it has pushed (RFC 9126)."),
        .standard("id_token_algorithm", \.identityAlgorithm, .word, .es256, "How its identity tokens are signed."),
        .optional("homepage", \.homepage, .homepage, "Where people read about it."),
        .optional("api_version", \.apiVersion, .apiVersion, "What it is written for; the latest where missing."))

    func draft() throws -> AppDraft {
        AppDraft(
            organization: organization, name: name, confidentiality: type, redirectURIs: redirectURIs, origins: origins,
            scopes: ScopeSet(stored: scopes.joined(separator: " ")), ownScopes: ScopeSet(ownScopes), people: people,
            tier: tier,
            keys: try Self.keys(jwks), requiresBinding: requiresBinding, requiresPush: requiresPush,
            identityAlgorithm: identityAlgorithm,
            homepage: homepage, apiVersion: apiVersion)
    }

    static func keys(_ json: JSON?) throws -> [JWK] {
        do {
            return try ClientMetadata.keys(json)
        } catch {
            throw IdentityError.unusableKeys
        }
    }
}

struct AppPatch: WireBody {
    let name: Patch<String>
    let redirectURIs: Patch<[String]>
    let origins: Patch<[String]>
    let scopes: Patch<[String]>
    let ownScopes: Patch<[Scope]>
    let people: Patch<App.People>
    let tier: Patch<Tier>
    let requiresBinding: Patch<Bool>
    let requiresPush: Patch<Bool>
    let identityAlgorithm: Patch<SigningAlgorithm>
    let homepage: Patch<String>
    let apiVersion: Patch<String>

    static let schema = Schema.object(
        "AppPatch", AppPatch.init,
        .patch("name", \.name, .string(1...100)),
        .patch("redirect_uris", \.redirectURIs, .array(of: .string(1...500), countMax: 20)),
        .patch("allowed_origins", \.origins, .array(of: .origin, countMax: 20)),
        .patch("scopes", \.scopes, .array(of: .scopeName, countMax: 50)),
        .patch("own_scopes", \.ownScopes, .array(of: .word, countMax: 50)), .patch("people", \.people, .word),
        .patch("tier", \.tier, .word),
        .patch("dpop_bound", \.requiresBinding, .boolean),
        .patch("require_pushed_requests", \.requiresPush, .boolean),
        .patch("id_token_algorithm", \.identityAlgorithm, .word),
        .patch("homepage", \.homepage, .homepage, removable: true),
        .patch("api_version", \.apiVersion, .apiVersion))

    func apply(to app: inout App) {
        app.name = name.applied(to: app.name)
        app.redirectURIs = redirectURIs.applied(to: app.redirectURIs)
        app.origins = origins.applied(to: app.origins)
        app.scopes = ScopeSet(stored: scopes.applied(to: app.scopes.names).joined(separator: " "))
        app.ownScopes = ScopeSet(ownScopes.applied(to: Array(app.ownScopes.scopes)))
        app.people = people.applied(to: app.people)
        app.tier = tier.applied(to: app.tier)
        app.requiresBinding = requiresBinding.applied(to: app.requiresBinding)
        app.requiresPush = requiresPush.applied(to: app.requiresPush)
        app.identityAlgorithm = identityAlgorithm.applied(to: app.identityAlgorithm)
        app.homepage = homepage.applied(to: app.homepage)
        app.apiVersion = apiVersion.applied(to: app.apiVersion)
    }
}

struct AppBody: WireBody {
    let id: AppID
    let organization: OrganizationID?
    let name: String
    let type: App.Confidentiality
    let redirectURIs: [String]
    let origins: [String]
    let scopes: [String]
    let ownScopes: [String]
    let people: App.People
    let tier: Tier
    let keys: [String]
    let requiresBinding: Bool
    let requiresPush: Bool
    let identityAlgorithm: SigningAlgorithm
    let homepage: String?
    let apiVersion: String
    let createdAt: Timestamp
    let secret: String?

    static let schema = Schema.object(
        "App", AppBody.init,
        .required("id", \.id, .id(), "Its `client_id`."),
        .optional("organization_id", \.organization, .id(), "Whose it is; the shop's own without."),
        .required("name", \.name, .string()),
        .required("type", \.type, .word), .required("redirect_uris", \.redirectURIs, .array(of: .string())),
        .required("allowed_origins", \.origins, .array(of: .string())),
        .required("scopes", \.scopes, .array(of: .string())),
        .required("own_scopes", \.ownScopes, .array(of: .string())),
        .required("people", \.people, .word), .required("tier", \.tier, .word),
        .required("key_thumbprints", \.keys, .array(of: .string()), "Of its public keys (RFC 7638)."),
        .required("dpop_bound", \.requiresBinding, .boolean),
        .required("require_pushed_requests", \.requiresPush, .boolean),
        .required("id_token_algorithm", \.identityAlgorithm, .word), .optional("homepage", \.homepage, .string()),
        .required("api_version", \.apiVersion, .string(), "What it gets where a request does not say."),
        .required("created_at", \.createdAt, .timestamp),
        .optional(
            "client_secret", \.secret, .string(), "Only in the answer that makes the app; it cannot be had again."))

    init(_ app: App, secret: String? = nil) {
        id = app.id
        organization = app.organization
        name = app.name
        type = app.confidentiality
        redirectURIs = app.redirectURIs
        origins = app.origins
        scopes = app.scopes.names
        ownScopes = app.ownScopes.names
        people = app.people
        tier = app.tier
        keys = app.keys.map(\.thumbprint)
        requiresBinding = app.requiresBinding
        requiresPush = app.requiresPush
        identityAlgorithm = app.identityAlgorithm
        homepage = app.homepage
        apiVersion = app.apiVersion
        createdAt = app.createdAt
        self.secret = secret
    }

    private init(
        id: AppID, organization: OrganizationID?, name: String, type: App.Confidentiality, redirectURIs: [String],
        origins: [String], scopes: [String],
        ownScopes: [String], people: App.People, tier: Tier, keys: [String], requiresBinding: Bool, requiresPush: Bool,
        identityAlgorithm: SigningAlgorithm, homepage: String?,
        apiVersion: String,
        createdAt: Timestamp, secret: String?
    ) {
        self.id = id
        self.organization = organization
        self.name = name
        self.type = type
        self.redirectURIs = redirectURIs
        self.origins = origins
        self.scopes = scopes
        self.ownScopes = ownScopes
        self.people = people
        self.tier = tier
        self.keys = keys
        self.requiresBinding = requiresBinding
        self.requiresPush = requiresPush
        self.identityAlgorithm = identityAlgorithm
        self.homepage = homepage
        self.apiVersion = apiVersion
        self.createdAt = createdAt
        self.secret = secret
    }
}

struct AppSecretBody: WireBody {
    let id: AppSecretID
    let hint: String
    let createdAt: Timestamp
    let expiresAt: Timestamp?
    let secret: String?

    static let schema = Schema.object(
        "AppSecret", AppSecretBody.init,
        .required("id", \.id, .id()), .required("hint", \.hint, .string(), "The beginning of the secret."),
        .required("created_at", \.createdAt, .timestamp), .optional("expires_at", \.expiresAt, .timestamp),
        .optional("client_secret", \.secret, .string(), "Only in the answer that makes it."))
}

struct AppSecretsBody: WireBody {
    let secrets: [AppSecretBody]
    static let schema = Schema.object(
        "AppSecrets", AppSecretsBody.init, .required("secrets", \.secrets, .array(of: AppSecretBody.schema)))
}

extension Schema where Value == String {
    /// A scope of the API or of OpenID Connect.
    static let scopeName = oneOf(ScopeSet.known)

    /// Of the form of a day; whether there is a version of it is another question.
    static let apiVersion = string(
        pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", example: "2026-11-27", lengths: 10...10
    ) { text in
        text.utf8.enumerated().allSatisfy { place, byte in
            place == 4 || place == 7 ? byte == UInt8(ascii: "-") : (48...57).contains(byte)
        }
    }

    /// Scheme, host and port, as browsers send them in `Origin` (RFC 6454); https, or http of this machine by its address.
    static let origin = string(
        pattern: #"^(https://[a-z0-9.-]+|http://127\.0\.0\.1|http://\[::1\])"#
            + #"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$"#,
        example: "https://app.example", lengths: 9...300
    ) { text in
        let here = ["http://127.0.0.1", "http://[::1]"].first { text.hasPrefix($0) }
        guard here != nil || text.hasPrefix("https://") else { return false }
        let rest = text.dropFirst(here?.count ?? 8)
        let port = here == nil ? rest.drop { $0 != ":" } : rest
        let host = rest.dropLast(port.count)
        let isHost =
            here != nil
            || (!host.isEmpty
                && host.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46 })
        return isHost && (port.isEmpty || UInt16(port.dropFirst()).map { $0 > 0 && port == ":\($0)" } == true)
    }

    /// A page on the web; only https, because people follow it from the page on which they decide.
    static let homepage = string(
        pattern: #"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[!-~]*)?$"#, example: "https://example.com", lengths: 9...300
    ) { text in
        guard text.hasPrefix("https://"), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return false }
        let authority = text.dropFirst(8).prefix { $0 != "/" }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, parts.count <= 2 else { return false }
        let isHost = host.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 46
        }
        let isPort = parts.count == 1 || (!parts[1].isEmpty && parts[1].utf8.allSatisfy { (48...57).contains($0) })
        return isHost && isPort
    }
}
