// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import Kernel
internal import Web

/// What a shop derives from its secret: the hashes by which it knows secrets again, and the tags by which it knows what it
/// has given out.
///
/// Secrets of programs are random, so that a keyed hash keeps them as safe as a slow one keeps a password, and costs a
/// microsecond.
struct SecretKeeper: Sendable {
    /// With the key taken in, which is half of the work for a short text.
    private let begun: HMAC<SHA256>

    init(key: [UInt8]) { begun = HMAC<SHA256>(key: SymmetricKey(data: key)) }

    /// A tag over `text` that only this shop can make; `purpose` keeps one use from standing for another.
    func tag(_ purpose: String, _ text: String) -> [UInt8] {
        var code = begun
        code.update(data: Array("\(purpose)\n\(text)".utf8))
        return Array(code.finalize())
    }

    func hash(_ secret: String) -> [UInt8] { tag("secret", secret) }

    // MARK: Closing

    /// Closes `bytes`, so that it takes the shop's secret and `secret` to open them.
    func close(_ bytes: [UInt8], _ purpose: String, under secret: String) throws -> [UInt8] {
        Array(try ChaChaPoly.seal(bytes, using: sealingKey(purpose, secret)).combined)
    }

    /// - Returns: `nil` where they were not closed for this purpose under this secret.
    func open(_ closed: [UInt8], _ purpose: String, under secret: String) -> [UInt8]? {
        guard let box = try? ChaChaPoly.SealedBox(combined: closed) else { return nil }
        return (try? ChaChaPoly.open(box, using: sealingKey(purpose, secret))).map { Array($0) }
    }

    private func sealingKey(_ purpose: String, _ secret: String) -> SymmetricKey {
        SymmetricKey(data: tag("seal " + purpose, secret))
    }
}

enum RandomText {
    static func text(_ bytes: some Sequence<UInt8>) -> String { Base64URL.encode(Array(bytes)) }

    static func bytes(_ text: String) -> [UInt8]? { Base64URL.decode(text) }

    /// `count` random bytes in the letters of addresses.
    static func make(bytes count: Int = 32) -> String {
        Base64URL.encode((0..<count).map { _ in UInt8.random(in: .min ... .max) })
    }
}

extension String {
    /// Whether both are the same, found out in a time that says nothing about where they differ.
    func isSame(as other: some StringProtocol) -> Bool { Array(utf8).isSame(as: Array(other.utf8)) }
}

extension [UInt8] {
    /// Whether both are the same, found out in a time that says nothing about where they differ.
    func isSame(as other: [UInt8]) -> Bool {
        guard count == other.count else { return false }
        return zip(self, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
