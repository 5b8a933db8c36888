// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import Kernel
internal import Web

/// Codes of six digits that change every 30 seconds, as authenticator apps make them (TOTP, RFC 6238).
enum OneTimeCode {
    private static let period: Int64 = 30
    private static let digits = 6
    private static let modulus: UInt32 = 1_000_000
    /// 160 bits, as RFC 4226 section 4 wants.
    private static let secretBytes = 20

    static func makeSecret() -> [UInt8] { (0..<secretBytes).map { _ in UInt8.random(in: .min ... .max) } }

    /// RFC 4226 section 5.3. SHA-1, because that is what the apps know; what is asked of it here is not what it is broken for.
    static func code(_ secret: [UInt8], step: Int64) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let mac = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret)))
        let offset = Int(mac[19] & 15)
        let number = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let text = String(number % modulus)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The period that `text` is the code of: the present one or a neighbour, for clocks that differ, and later than `last`, so
    /// that a code is good once (RFC 6238 section 5.2).
    static func step(of text: String, secret: [UInt8], after last: Int64, at now: Timestamp) -> Int64? {
        let present = now.seconds / period
        return (present - 1...present + 1).first { step in
            step > last && code(secret, step: step).isSame(as: text)
        }
    }

    // MARK: For the app

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

    /// RFC 4648 section 6, without padding.
    static func base32(_ bytes: [UInt8]) -> String {
        var text = ""
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 5 {
                count -= 5
                text.append(alphabet[Int(bits >> count & 31)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << (5 - count) & 31)]) }
        return text
    }

    /// What authenticator apps open.
    static func address(_ secret: [UInt8], account: String, shop: String) -> String {
        let (account, shop) = (PercentEncoding.encode(account), PercentEncoding.encode(shop))
        return "otpauth://totp/\(shop):\(account)?secret=\(base32(secret))&issuer=\(shop)"
    }
}
