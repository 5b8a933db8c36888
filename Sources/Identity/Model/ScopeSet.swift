// SPDX-License-Identifier: Apache-2.0

internal import Web

/// What a token is good for: scopes of the API, and those of OpenID Connect that let an app learn who somebody is.
struct ScopeSet: Hashable, Sendable {
    /// In the order of ``known``, each once.
    let names: [String]

    static let empty = ScopeSet(names: [])
    /// Who somebody is, which is theirs to tell.
    static let identity = ScopeSet(names: claims)
    /// OpenID Connect Core 1.0 section 5.4.
    static let claims = ["openid", "profile", "email"]
    static let known = claims + Scope.allCases.map(\.rawValue)

    private init(names: [String]) { self.names = names }

    init(_ scopes: some Sequence<Scope>) { self.init(keeping: Set(scopes.map(\.rawValue))) }

    private init(keeping wanted: Set<String>) { names = Self.known.filter(wanted.contains) }

    /// Reads scopes with spaces between them (RFC 6749 section 3.3).
    ///
    /// - Returns: `nil` where one is unknown.
    init?(_ text: String) {
        let wanted = Set(text.split(separator: " ").map(String.init))
        guard wanted.isSubset(of: Self.known) else { return nil }
        self.init(keeping: wanted)
    }

    /// What we stored ourselves; scopes that are no more are left out.
    init(stored text: String) { self.init(keeping: Set(text.split(separator: " ").map(String.init))) }

    var text: String { names.joined(separator: " ") }
    var isEmpty: Bool { names.isEmpty }
    var scopes: Set<Scope> { Set(names.compactMap(Scope.init)) }
    var claims: Set<String> { Set(names).intersection(Self.claims) }

    func contains(_ name: String) -> Bool { names.contains(name) }
    func isSubset(of other: ScopeSet) -> Bool { Set(names).isSubset(of: other.names) }
    func intersection(_ other: ScopeSet) -> ScopeSet { ScopeSet(keeping: Set(names).intersection(other.names)) }
    func union(_ other: ScopeSet) -> ScopeSet { ScopeSet(keeping: Set(names).union(other.names)) }
    func subtracting(_ other: ScopeSet) -> ScopeSet { ScopeSet(keeping: Set(names).subtracting(other.names)) }

    /// What it lets an app do in the name of `user`, in words.
    func meanings(to user: User) -> [String] {
        names.map { name in
            switch name {
            case "openid": "Know that it is you"
            case "profile": "See your name"
            case "email": "See your mail address"
            default: Scope(rawValue: name).map { user.customer == nil ? $0.meaning : $0.meaningToCustomers } ?? name
            }
        }
    }
}
