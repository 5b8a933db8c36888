// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

/// A provider that moves no money and behaves as its cards say.
///
/// It keeps its books in tables of its own and in transactions of its own, so that to the shop it is another system:
/// a crash of the shop between two steps leaves it as it was.
struct SandboxProvider: PaymentProvider {
    let name = "sandbox"
    let isRemote = false
    let database: Database
    let clock: WallClock
    let sleep: @Sendable (Duration) async throws -> Void

    /// How long a slow card takes; within the deadline of an authorisation.
    static let slowness = Duration.seconds(2)

    func reference(of key: String) -> String? { "sandbox_" + key }

    /// Nothing to announce: the reference follows from the key.
    func open(_ request: AuthorizationRequest) async throws -> String { "sandbox_" + request.key }

    func authorize(_ request: AuthorizationRequest, reference: String) async throws -> PaymentOutcome {
        let behaviour =
            Simulation.current?.payment.map(SandboxCard.behaviour)
            ?? SandboxCard.behaviour(token: request.token, amount: request.amount)
        switch behaviour {
        case .stall:
            // Longer than any deadline: the caller gives up, and nothing was booked.
            try await sleep(.seconds(3_600))
            throw ProviderFault.noAnswer
        case .slow: try await sleep(Self.slowness)
        case .approve, .decline, .vanish, .secondStep, .duplicate: break
        }
        let (outcome, isNew) = try await book(request, behaviour)
        if isNew {
            // Booked, and the answer is lost on the way.
            if behaviour == .vanish { throw ProviderFault.noAnswer }
            if behaviour == .duplicate { throw ProviderFault.temporary() }
        } else if behaviour == .vanish {
            throw ProviderFault.noAnswer
        }
        return outcome
    }

    /// Books a charge under its key, or finds the one that was booked.
    private func book(
        _ request: AuthorizationRequest, _ behaviour: SandboxCard.Behaviour
    ) async throws -> (outcome: PaymentOutcome, isNew: Bool) {
        let now = clock.now()
        return try await database.write { transaction in
            let state: SandboxState
            var reason: DeclineReason?
            switch behaviour {
            case .decline(let why): (state, reason) = (.declined, why)
            case .secondStep: state = .requiresAction
            case .approve, .slow, .vanish, .duplicate, .stall:
                state = request.capture == .automatic ? .captured : .authorized
            }
            let booked = try transaction.execute(
                """
                INSERT INTO sandbox_charges (key, amount, currency, state, reason, capture, created_at)
                VALUES (\(request.key), \(request.amount.thousandths), \(request.amount.currency), \(state.rawValue),
                    \(reason?.rawValue), \(request.capture.rawValue), \(now)) ON CONFLICT (key) DO NOTHING
                """)
            guard booked == 1 else { return (try Self.find(request.key, in: transaction) ?? .unknown, false) }
            return (Self.outcome(state, reason, key: request.key), true)
        }
    }

    func find(reference: String) async throws -> PaymentOutcome {
        try await database.read { try Self.find(Self.key(of: reference), in: $0) ?? .notFound }
    }

    func capture(reference: String, amount: Money) async throws {
        try await move(reference, from: [.authorized, .captured], to: .captured)
    }

    func void(reference: String) async throws {
        // Nobody may ask for money under this reference any more, even if nobody has yet.
        let now = clock.now()
        _ = try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO sandbox_charges (key, amount, currency, state, capture, created_at)
                VALUES (\(Self.key(of: reference)), 0, 'XXX', \(SandboxState.voided.rawValue), 'manual', \(now))
                ON CONFLICT DO NOTHING
                """)
        }
        try await move(reference, from: [.authorized, .requiresAction, .voided], to: .voided)
    }

    func refund(reference: String, amount: Money, key: String, isRepeated: Bool) async throws {
        try await database.write { transaction in
            let charge = try transaction.first(
                "SELECT amount, state FROM sandbox_charges WHERE key = \(Self.key(of: reference))"
            ) { (try $0.next(Int64.self), try $0.next(String.self)) }
            guard let (charged, state) = charge, state == SandboxState.captured.rawValue else {
                throw ProviderFault.refused("There is no captured charge \(reference).")
            }
            try transaction.execute(
                """
                INSERT INTO sandbox_refunds (key, charge, amount) VALUES (\(key), \(reference), \(amount.thousandths))
                ON CONFLICT (key) DO NOTHING
                """)
            let refunded = try transaction.first(
                "SELECT SUM(amount) FROM sandbox_refunds WHERE charge = \(reference)"
            ) { try $0.next(Int64.self) }
            if refunded ?? 0 > charged { throw ProviderFault.refused("More than was charged.") }
        }
    }

    func completeAction(reference: String, succeeded: Bool) async throws -> PaymentOutcome {
        try await database.write { transaction in
            let key = Self.key(of: reference)
            let next: SandboxState = succeeded ? .captured : .declined
            let reason = succeeded ? nil : DeclineReason.authenticationFailed.rawValue
            try transaction.execute(
                """
                UPDATE sandbox_charges SET reason = \(reason),
                    state = CASE WHEN \(succeeded) AND capture = 'manual' THEN 'authorized' ELSE \(next.rawValue) END
                WHERE key = \(key) AND state = \(SandboxState.requiresAction.rawValue)
                """)
            return try Self.find(key, in: transaction) ?? .notFound
        }
    }

    private func move(_ reference: String, from: [SandboxState], to: SandboxState) async throws {
        let moved = try await database.write { transaction in
            try transaction.execute(
                """
                UPDATE sandbox_charges SET state = \(to.rawValue)
                WHERE key = \(Self.key(of: reference)) AND state IN \(anyOf: from.map(\.rawValue))
                """)
        }
        guard moved == 1 else { throw ProviderFault.refused("The charge \(reference) cannot become \(to.rawValue).") }
    }

    private enum SandboxState: String {
        case authorized, captured, declined, voided
        case requiresAction = "requires_action"
    }

    private static func key(of reference: String) -> String { String(reference.dropFirst("sandbox_".count)) }

    private static func find(_ key: String, in connection: Connection) throws -> PaymentOutcome? {
        let found = try connection.first("SELECT state, reason FROM sandbox_charges WHERE key = \(key)") {
            (try $0.next(String.self), try $0.next(String?.self))
        }
        return found.map { outcome(SandboxState(rawValue: $0), $1.flatMap(DeclineReason.init(rawValue:)), key: key) }
    }

    private static func outcome(_ state: SandboxState?, _ reason: DeclineReason?, key: String) -> PaymentOutcome {
        let reference = "sandbox_" + key
        switch state {
        case .authorized: return .authorized(reference: reference)
        case .captured: return .captured(reference: reference)
        case .requiresAction:
            return .requiresAction(reference: reference, PaymentAction(url: "https://sandbox.invalid/3ds/\(reference)"))
        case .declined: return .declined(reason ?? .cardDeclined)
        case .voided, nil: return .declined(.cancelled)
        }
    }
}
