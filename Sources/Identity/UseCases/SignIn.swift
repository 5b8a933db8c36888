// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Signs people in to a browser, and out again.
struct SignIn: Sendable {
    let database: Database
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper
    let passwords: PasswordKeeper
    let settings: IdentitySettings
    let secondFactor: SecondFactor

    /// Somebody in front of a browser.
    struct Visitor: Sendable {
        let user: User
        let session: BrowserSession
    }

    enum Outcome {
        /// The session's secret, for the browser alone.
        case signedIn(String, email: String)
        /// The password is right, and not enough.
        case needsCode(UserID)
        /// One word for all that can be wrong, so that nobody learns who has an account.
        case wrong
        /// Too many attempts; whether somebody has that address is not said, either.
        case wait(seconds: Int64)
    }

    /// So many may be wrong before each further one has to wait, twice as long each time.
    private static let freeFailures = 5
    private static let waitMax: Int64 = 900
    /// When a failure counts no more.
    private static let failureMemory = Duration.seconds(3_600)
    /// Being seen is written down at most so often.
    private static let seenResolution = Duration.seconds(300)

    /// Signs somebody in who knows the password. Failures in a browser that was signed in to this account before, which
    /// `isKnown`, are counted apart, so that no stranger can keep somebody out.
    func callAsFunction(
        email: String, password: String, isKnown: Bool, agent: String, address: String
    ) async throws -> Outcome {
        let email = MailAddress.normal(email)
        let subject = Self.subject(email, isKnown: isKnown, keeper)
        if let seconds = try await attempt(subject) { return .wait(seconds: seconds) }
        let known = try await database.read { try UserStore.find(email: email, in: $0) }
        let isRight = try await passwords.isRight(password, known?.password)
        guard isRight, let user = known?.user, user.disabledAt == nil else {
            try await report(known?.user, subject)
            return .wrong
        }
        try await database.write { try SessionStore.clearFailures(of: subject, in: $0) }
        if user.hasSecondFactor { return .needsCode(user.id) }
        return .signedIn(try await open(user.id, agent, address), email: user.email)
    }

    /// Signs in somebody whose password was right, with a code of their app or from paper.
    func finish(_ user: UserID, code: String, agent: String, address: String) async throws -> Outcome {
        let subject = keeper.tag("second factor", user.rawValue)
        if let seconds = try await attempt(subject) { return .wait(seconds: seconds) }
        let known = try await database.read { try UserStore.find(user, in: $0) }
        guard let known, known.disabledAt == nil, try await secondFactor.isRight(code, of: user) else {
            try await report(known, subject)
            return .wrong
        }
        try await database.write { try SessionStore.clearFailures(of: subject, in: $0) }
        return .signedIn(try await open(user, agent, address), email: known.email)
    }

    /// Begins a session.
    ///
    /// - Returns: its secret.
    private func open(_ user: UserID, _ agent: String, _ address: String) async throws -> String {
        let secret = RandomText.make()
        let (hash, now) = (keeper.hash(secret), clock.now())
        let session = BrowserSession(
            id: "ses_" + RandomText.make(bytes: 12), user: user, agent: String(agent.prefix(300)), address: address,
            authenticatedAt: now, seenAt: now, expiresAt: now.advanced(by: settings.sessionLifetime))
        try await database.write { transaction in
            try SessionStore.insert(session, hash: hash, in: transaction)
            try outbox.publish(
                "user.signed_in", subject: user.rawValue, actor: user.rawValue, ["address": .string(address)],
                in: transaction)
        }
        return secret
    }

    /// Whether this is the user's password; wrong ones count as when signing in.
    func isRight(_ password: String, of user: User) async throws -> Bool {
        let subject = Self.subject(user.email, isKnown: true, keeper)
        guard try await attempt(subject) == nil else { return false }
        let known = try await database.read { try UserStore.find(email: user.email, in: $0) }
        let isRight = try await passwords.isRight(password, known?.password)
        guard isRight else {
            try await report(user, subject)
            return false
        }
        try await database.write { try SessionStore.clearFailures(of: subject, in: $0) }
        return true
    }

    /// Whether this is a code of the user's second factor; wrong ones count as when signing in.
    func isRightCode(_ code: String, of user: User) async throws -> Bool {
        let subject = keeper.tag("second factor", user.id.rawValue)
        guard try await attempt(subject) == nil else { return false }
        guard try await secondFactor.isRight(code, of: user.id) else {
            try await report(user, subject)
            return false
        }
        try await database.write { try SessionStore.clearFailures(of: subject, in: $0) }
        return true
    }

    /// Who is in front of a browser that shows this secret; nobody where it is unknown or over.
    func visitor(with secret: String) async throws -> Visitor? {
        let (hash, now) = (keeper.hash(secret), clock.now())
        let found = try await database.read { connection -> Visitor? in
            guard let session = try SessionStore.find(hash: hash, in: connection), now < session.expiresAt,
                let user = try UserStore.find(session.user, in: connection), user.disabledAt == nil
            else { return nil }
            return Visitor(user: user, session: session)
        }
        guard let found else { return nil }
        if found.session.seenAt.duration(to: now) > Self.seenResolution {
            let end = now.advanced(by: settings.sessionLifetime)
            try await database.write { try SessionStore.setSeen(found.session.id, at: now, until: end, in: $0) }
        }
        return found
    }

    func sessions(of user: UserID) async throws -> [BrowserSession] {
        let now = clock.now()
        return try await database.read { try SessionStore.all(of: user, at: now, in: $0) }
    }

    func end(_ session: String, of user: UserID) async throws {
        try await database.write { transaction in
            try SessionStore.end(session, of: user, in: transaction)
            try outbox.publish(
                "user.signed_out", subject: user.rawValue, actor: user.rawValue, [:], in: transaction)
        }
    }

    // MARK: Trying out

    private static func subject(_ email: String, isKnown: Bool, _ keeper: SecretKeeper) -> [UInt8] {
        keeper.tag(isKnown ? "sign-in from a known browser" : "sign-in", email)
    }

    /// Counts an attempt before it is known what it comes to, so that many at once are many.
    ///
    /// - Returns: how many seconds to wait; `nil` where it may go on.
    private func attempt(_ subject: [UInt8]) async throws -> Int64? {
        let now = clock.now()
        return try await database.write { transaction in
            try transaction.serialize(on: "sign-in " + RandomText.text(subject))
            let before = try SessionStore.failures(of: subject, in: transaction)
            let isRecent = before.map { $0.lastAt.duration(to: now) < Self.failureMemory } ?? false
            let count = isRecent ? before?.count ?? 0 : 0
            if let before, let wait = Self.wait(after: count, last: before.lastAt, at: now) { return wait }
            try SessionStore.setFailures(count + 1, of: subject, at: now, in: transaction)
            return nil
        }
    }

    private static func wait(after count: Int, last: Timestamp, at now: Timestamp) -> Int64? {
        let excess = count - freeFailures
        guard excess >= 0 else { return nil }
        let pause = Duration.seconds(min(waitMax, 1 << min(Int64(excess), 10)))
        let left = pause - last.duration(to: now)
        return left > .zero ? max(1, Int64((left / .seconds(1)).rounded(.up))) : nil
    }

    /// What the person is to know who has the account. Where nobody has it, as much is written, and takes as long.
    private func report(_ user: User?, _ subject: [UInt8]) async throws {
        try await database.write { transaction in
            guard let user else { return try SessionStore.touchFailures(of: subject, in: transaction) }
            try outbox.publish(
                "user.sign_in_failed", subject: user.id.rawValue, actor: "anonymous", [:], in: transaction)
        }
    }
}
