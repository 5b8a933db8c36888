// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import Kernel

/// The header `Stripe-Signature`: `t=1492774577,v1=5257a8…`, with several `v1` while a secret is being changed.
struct StripeSignature {
    private let time: Int64
    private let signatures: [[UInt8]]

    /// A notification that is older, or from further in the future, may be a replay.
    private static let tolerance: Int64 = 300

    init?(_ header: String) {
        var time: Int64?
        var signatures: [[UInt8]] = []
        for element in header.split(separator: ",").prefix(16) {
            let parts = element.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            switch parts[0] {
            case "t": time = Int64(parts[1])
            case "v1": signatures.append(Self.bytes(hexadecimal: parts[1]))
            default: continue
            }
        }
        guard let time else { return nil }
        self.time = time
        self.signatures = signatures
    }

    func isValid(of body: [UInt8], secret: String, at now: Timestamp) -> Bool {
        guard abs(now.milliseconds / 1_000 - time) <= Self.tolerance else { return false }
        let signed = Array("\(time).".utf8) + body
        let key = SymmetricKey(data: Array(secret.utf8))
        return signatures.contains {
            HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: signed, using: key)
        }
    }

    private static func bytes(hexadecimal text: Substring) -> [UInt8] {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return [] }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
