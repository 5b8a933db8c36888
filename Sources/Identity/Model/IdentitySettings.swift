// SPDX-License-Identifier: Apache-2.0

/// How long things last, and how hard passwords are to try out.
package struct IdentitySettings: Sendable {
    /// The address that names this shop as an issuer (RFC 8414 section 2), without a slash at the end.
    package var issuer: String
    /// What the shop is called on its pages. Default `Vitrine`. Environment: `VITRINE_SHOP_NAME`.
    package var shopName = "Vitrine"
    /// How its pages look. Default the built-in ones. Environment: `VITRINE_PAGES`, a folder of its own.
    package var pages = PageTemplates.builtIn
    /// Whether developers from outside the shop make accounts themselves. Default no; the shop opens it where it sends mail, which
    /// proves whose an address is. Environment: `VITRINE_SIGN_UP`, `open` or `closed`.
    package var isSignUpOpen = false
    /// How long an access token is good. Default 900 s. Environment: `VITRINE_ACCESS_TOKEN_LIFETIME`. A longer one is asked
    /// for less often; it ends at once all the same when its app is removed.
    package var accessTokenLifetime = Duration.seconds(900)
    /// How long a refresh token is good that is not used. Default 30 days.
    package var refreshTokenLifetime = Duration.seconds(30 * 86_400)
    /// How long somebody stays signed in who is not seen. Default 14 days.
    package var sessionLifetime = Duration.seconds(14 * 86_400)
    /// How much work a password costs whoever tries it out.
    package var passwordCost = PasswordCost.standard

    /// Where developers try things out; `nil` where there is no sandbox. Environment: `VITRINE_SANDBOX_URL`.
    package var sandboxAddress: String?
    /// Whether this shop is a sandbox; browsers then keep its sign-in apart from that of the shop beside it.
    package var isSandbox = false
    /// Of the shop that a sandbox belongs to, whose pages for developers ask it; `nil` elsewhere.
    package var shopAddress: String?

    /// How long the audit log is kept. Default for ever. Environment: `VITRINE_AUDIT_RETENTION`.
    package var auditRetention: Duration?

    /// How long a code is good on its way to the app (RFC 9700 section 2.1.1 wants it short).
    static let codeLifetime = Duration.seconds(60)
    /// How long the answer to a refresh token is given again to whoever may not have got it.
    static let refreshGrace = Duration.seconds(60)
    static let pushedRequestLifetime = Duration.seconds(60)
    static let deviceRequestLifetime = Duration.seconds(600)
    /// The longest that an access token can be good by any setting, now or before, and a minute for clocks that differ.
    static let tokenLifetimeMax = Duration.seconds(86_400 + 60)
    /// How long a key signs.
    static let signingKeyLifetime = Duration.seconds(30 * 86_400)
    /// How long a key is known before it signs, so that whoever keeps our keys for a while has it by then.
    static let signingKeyNotice = Duration.seconds(900)

    package init(issuer: String = "") { self.issuer = issuer }
}

/// The parameters of scrypt (RFC 7914 section 2). It takes `128 * blockSize * rounds` bytes of memory.
package struct PasswordCost: Sendable, Equatable {
    /// A power of two.
    package let rounds: Int
    package let blockSize: Int
    package let parallelism: Int

    package init(rounds: Int, blockSize: Int, parallelism: Int) {
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    /// 32 MiB, as OWASP's table of equal parameters has it (Password Storage Cheat Sheet).
    package static let standard = PasswordCost(rounds: 1 << 15, blockSize: 8, parallelism: 3)
    /// For tests, which make many.
    package static let least = PasswordCost(rounds: 2, blockSize: 1, parallelism: 1)
}
