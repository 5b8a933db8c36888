// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A refresh token as it travels: whose it is, the how manyth, randomness, and a tag that only this shop can make.
///
/// The tag is why a stranger cannot end somebody's authorization by showing a number of the past.
struct RefreshToken: Sendable {
    let authorization: AuthorizationID
    let number: Int
    let text: String

    private static let prefix = "vr_"
    private static let purpose = "refresh token"

    /// A fresh one.
    init(_ authorization: AuthorizationID, number: Int, by keeper: SecretKeeper) {
        let body = "\(Self.prefix)\(authorization.rawValue.dropFirst(4)).\(number).\(RandomText.make(bytes: 24))"
        self.authorization = authorization
        self.number = number
        text = body + "." + Self.tag(body, keeper)
    }

    /// - Returns: `nil` where this shop has never given it out.
    init?(_ text: String, by keeper: SecretKeeper) {
        guard text.hasPrefix(Self.prefix), text.utf8.count < 200, let dot = text.lastIndex(of: ".") else { return nil }
        let body = String(text[..<dot])
        let parts = body.dropFirst(Self.prefix.count).split(separator: ".")
        guard parts.count == 3, let id = AuthorizationID("aut_" + parts[0]), let number = Int(parts[1]),
            Self.tag(body, keeper).isSame(as: text[text.index(after: dot)...])
        else { return nil }
        authorization = id
        self.number = number
        self.text = text
    }

    private static func tag(_ body: String, _ keeper: SecretKeeper) -> String {
        RandomText.text(keeper.tag(purpose, body).prefix(18))
    }
}
