// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// What somebody has beside a password: an app that makes codes, and codes on paper for when that is lost.
struct SecondFactor: Sendable {
    let database: Database
    let outbox: Outbox
    let clock: WallClock
    let keeper: SecretKeeper

    private static let recoveryCodes = 10
    /// 80 bits in two halves; read from paper.
    private static let recoveryBytes = 10

    /// A secret that is not anybody's yet, and the same closed, to come back with the first code that the app makes of it.
    func offer(to user: User) throws -> (secret: [UInt8], closed: String) {
        let secret = OneTimeCode.makeSecret()
        return (secret, RandomText.text(try close(secret, of: user.id)))
    }

    /// The secret of an offer that comes back; `nil` where it was not made for this user.
    func secret(_ closed: String, of user: UserID) -> [UInt8]? {
        RandomText.bytes(closed).flatMap { open($0, of: user) }
    }

    /// Makes the offer the user's second factor, where `code` shows that their app has it.
    ///
    /// - Returns: codes for paper, shown only now; `nil` where the code is wrong.
    func accept(_ closed: String, code: String, by user: User) async throws -> [String]? {
        guard let secret = secret(closed, of: user.id),
            let step = OneTimeCode.step(of: Self.normal(code), secret: secret, after: 0, at: clock.now())
        else { return nil }
        let kept = try close(secret, of: user.id)
        let codes = (0..<Self.recoveryCodes).map { _ in
            OneTimeCode.base32((0..<Self.recoveryBytes).map { _ in UInt8.random(in: .min ... .max) }).lowercased()
        }
        let hashes = codes.map { keeper.hash(recovery($0, of: user.id)) }
        let isFirst = try await database.write { transaction in
            // Of two at once the first counts, whose codes for paper somebody has.
            try UserStore.lock(user.id, in: transaction)
            guard try SecondFactorStore.find(of: user.id, in: transaction) == nil else { return false }
            try SecondFactorStore.set(kept, step: step, of: user.id, in: transaction)
            try SecondFactorStore.setRecovery(hashes, of: user.id, in: transaction)
            try outbox.publish(
                "user.second_factor_added", subject: user.id.rawValue, actor: user.id.rawValue, [:], in: transaction)
            return true
        }
        guard isFirst else { return nil }
        return codes.map { $0.prefix(8) + "-" + $0.suffix(8) }
    }

    /// Whether `code` is the app's present one, or one from paper; either is good once.
    func isRight(_ code: String, of user: UserID) async throws -> Bool {
        let (code, now) = (Self.normal(code), clock.now())
        let paper = keeper.hash(recovery(code, of: user))
        return try await database.write { transaction in
            guard let known = try SecondFactorStore.find(of: user, in: transaction) else { return false }
            if let secret = open(known.closed, of: user),
                let step = OneTimeCode.step(of: code, secret: secret, after: known.step, at: now)
            {
                try SecondFactorStore.setStep(step, of: user, in: transaction)
                return true
            }
            return try SecondFactorStore.spend(recovery: paper, of: user, in: transaction)
        }
    }

    func remove(from user: UserID, by actor: String, in transaction: Transaction) throws {
        try SecondFactorStore.remove(of: user, in: transaction)
        try outbox.publish(
            "user.second_factor_removed", subject: user.rawValue, actor: actor, [:], in: transaction)
    }

    // MARK: Texts and bytes

    private func recovery(_ code: String, of user: UserID) -> String { "recovery \(user.rawValue) \(code)" }

    /// However it was typed.
    private static func normal(_ code: String) -> String {
        String(code.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) })
    }

    private static let purpose = "second factor"

    private func close(_ secret: [UInt8], of user: UserID) throws -> [UInt8] {
        try keeper.close(secret, Self.purpose, under: user.rawValue)
    }

    private func open(_ closed: [UInt8], of user: UserID) -> [UInt8]? {
        keeper.open(closed, Self.purpose, under: user.rawValue)
    }
}
