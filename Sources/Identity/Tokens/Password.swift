// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import CryptoExtras
internal import Foundation
internal import Kernel

/// Keeps passwords so that trying them out costs memory and time (scrypt, RFC 7914), two at once at most, because each takes
/// tens of megabytes.
struct PasswordKeeper: Sendable {
    let cost: PasswordCost
    private let work = SlowWork(threadsMax: 2)
    /// Of no password; so that a mail address that nobody has takes as long as one that somebody has.
    private let nobody: String

    /// NIST SP 800-63B section 3.1.1.2: long enough, of any characters, and not cut short.
    static let lengths = 12...200
    private static let saltBytes = 16

    init(cost: PasswordCost) {
        self.cost = cost
        nobody = Self.text(cost, salt: [UInt8](repeating: 0, count: Self.saltBytes), hash: [])
    }

    /// - Returns: the hash with what is needed to check it, in one line (the PHC string format).
    func hash(_ password: String) async throws -> String {
        let salt = (0..<Self.saltBytes).map { _ in UInt8.random(in: .min ... .max) }
        return Self.text(cost, salt: salt, hash: try await derive(password, salt, cost))
    }

    /// Whether it is the one that `known` was made of; `nil` stands for nobody's, which is never right and takes as long.
    func isRight(_ password: String, _ known: String?) async throws -> Bool {
        guard let (cost, salt, hash) = Self.parse(known ?? nobody) else {
            throw Failure(.corrupt, "The hash of a password cannot be read.")
        }
        // An over-long text is not worth the work; nobody has such a password.
        guard password.utf8.count <= 4 * Self.lengths.upperBound else { return false }
        return try await derive(password, salt, cost).isSame(as: hash)
    }

    private func derive(_ password: String, _ salt: [UInt8], _ cost: PasswordCost) async throws -> [UInt8] {
        try await work.run {
            // The same password, however the keyboard composes its accents (NIST SP 800-63B section 3.1.1.2).
            let key = try KDF.Scrypt.deriveKey(
                from: Array(password.precomposedStringWithCanonicalMapping.utf8), salt: salt, outputByteCount: 32,
                rounds: cost.rounds, blockSize: cost.blockSize, parallelism: cost.parallelism)
            return key.withUnsafeBytes { Array($0) }
        }
    }

    private static func text(_ cost: PasswordCost, salt: [UInt8], hash: [UInt8]) -> String {
        let rounds = cost.rounds.trailingZeroBitCount
        return
            "$scrypt$ln=\(rounds),r=\(cost.blockSize),p=\(cost.parallelism)$\(RandomText.text(salt))$\(RandomText.text(hash))"
    }

    private static func parse(_ text: String) -> (PasswordCost, salt: [UInt8], hash: [UInt8])? {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[1] == "scrypt" else { return nil }
        let numbers = parts[2].split(separator: ",").compactMap { Int($0.drop { $0 != "=" }.dropFirst()) }
        guard numbers.count == 3, (1...24).contains(numbers[0]), let salt = RandomText.bytes(String(parts[3])),
            let hash = RandomText.bytes(String(parts[4]))
        else { return nil }
        return (PasswordCost(rounds: 1 << numbers[0], blockSize: numbers[1], parallelism: numbers[2]), salt, hash)
    }
}
