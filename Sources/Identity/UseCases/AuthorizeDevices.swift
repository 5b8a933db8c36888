// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

/// Lets people say on one device what an app on another may do (RFC 8628).
struct AuthorizeDevices: Sendable {
    let database: Database
    let clock: WallClock
    let keeper: SecretKeeper
    let directory: AppDirectory
    let authorize: Authorize

    /// Consonants that are not taken for each other, and make no words (section 6.1): 34 bits in eight of them.
    private static let letters = Array("BCDFGHJKLMNPQRSTVWXZ")
    private static let firstInterval = 5
    private static let slowDown = 5

    func begin(_ app: App, scope: String?) async throws -> (deviceCode: String, request: DeviceRequest) {
        guard let scopes = scope.map({ ScopeSet($0) }) ?? app.scopes, !scopes.isEmpty, scopes.isSubset(of: app.scopes)
        else {
            throw OAuthError(.invalidScope, "scope is no part of what the app registered for: \(app.scopes.text).")
        }
        let code = RandomText.make()
        var dice = SystemRandomNumberGenerator()
        let request = DeviceRequest(
            hash: keeper.hash(code),
            userCode: String((0..<8).compactMap { _ in Self.letters.randomElement(using: &dice) }), app: app.id,
            scopes: scopes, state: .pending, user: nil, authenticatedAt: nil, askedAt: nil,
            intervalSeconds: Self.firstInterval,
            expiresAt: clock.now().advanced(by: IdentitySettings.deviceRequestLifetime))
        try await database.write { try DeviceStore.insert(request, in: $0) }
        return (code, request)
    }

    /// The app asks what became of it (section 3.5).
    ///
    /// - Returns: the request that was approved, and by whom.
    func poll(
        _ app: App, deviceCode: String?
    ) async throws -> (request: DeviceRequest, user: UserID, authenticatedAt: Timestamp) {
        guard let deviceCode else { throw OAuthError(.invalidRequest, "device_code is missing.") }
        let (hash, now) = (keeper.hash(deviceCode), clock.now())
        let (found, isTooSoon) = try await database.write { transaction -> (DeviceRequest?, Bool) in
            guard var request = try DeviceStore.find(hash: hash, in: transaction), request.app == app.id else {
                return (nil, false)
            }
            let isTooSoon = request.askedAt.map { $0.duration(to: now) < .seconds(request.intervalSeconds) } ?? false
            request.askedAt = now
            if isTooSoon { request.intervalSeconds += Self.slowDown }
            try DeviceStore.noteQuestion(request, in: transaction)
            return (request, isTooSoon)
        }
        guard let request = found else { throw OAuthError(.invalidGrant, "The device code is unknown.") }
        guard now < request.expiresAt else { throw OAuthError(.expiredToken, "Nobody has decided in time.") }
        switch request.state {
        case .denied: throw OAuthError(.accessDenied, "The user has refused.")
        case .spent: throw OAuthError(.invalidGrant, "The device code was used before.")
        case .pending where isTooSoon:
            throw OAuthError(.slowDown, "Wait \(request.intervalSeconds) s between two questions.")
        case .pending: throw OAuthError(.authorizationPending, "Nobody has decided yet.")
        case .approved:
            guard let user = request.user, let authenticatedAt = request.authenticatedAt else {
                throw Failure(.corrupt, "An approved device request names nobody.")
            }
            return (request, user, authenticatedAt)
        }
    }

    /// The request that somebody has typed the code of, however they wrote it; `nil` where there is none to be decided.
    func request(userCode: String) async throws -> (request: DeviceRequest, app: App)? {
        let letters = String(userCode.uppercased().filter { Self.letters.contains($0) })
        let now = clock.now()
        guard letters.count == 8,
            let request = try await database.read({ try DeviceStore.find(userCode: letters, in: $0) }),
            request.state == .pending, now < request.expiresAt,
            let known = try await directory.find(request.app)
        else { return nil }
        return (request, known.app)
    }

    /// - Returns: whether it was still to be decided, and there is something to give where it is approved.
    func decide(
        _ request: DeviceRequest, _ app: App, _ visitor: SignIn.Visitor, approves: Bool
    ) async throws -> Bool {
        let (id, now) = (visitor.user.id, clock.now())
        return try await database.write { transaction in
            try UserStore.lock(id, in: transaction)
            guard let user = try UserStore.find(id, in: transaction), !approves || app.isFor(user) else { return false }
            var decided = request
            decided.state = approves ? .approved : .denied
            decided.user = id
            decided.authenticatedAt = visitor.session.authenticatedAt
            if approves {
                // What they may not do now is not given later, either.
                decided.scopes = request.scopes.intersection(Authorize.allowed(user))
                guard !decided.scopes.isEmpty else { return false }
            }
            guard try DeviceStore.decide(decided, in: transaction) else { return false }
            if approves { try authorize.note(decided.scopes, user, app, at: now, in: transaction) }
            return true
        }
    }
}
