// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// Who may read what the system tells of itself, and who may write to it.
package struct ObservatoryAccess: Sendable {
    /// The operator's own token, which needs no shop to be checked; `nil` where there is none.
    let operatorToken: String?
    /// Whether another token may be used, such as an API key of the shop with `read:telemetry`.
    let accepts: @Sendable (String) async -> Bool

    /// With neither of them everybody may who reaches the address as one of this machine.
    package init(operatorToken: String? = nil, accepts: (@Sendable (String) async -> Bool)? = nil) {
        self.operatorToken = operatorToken
        self.accepts = accepts ?? { _ in false }
        isOpen = operatorToken == nil && accepts == nil
    }

    let isOpen: Bool

    func allows(_ request: Request) async -> Bool {
        await allows(authority: request.head.authority, authorization: request.headers[.authorization])
    }

    func allows(authority: String?, authorization: String?) async -> Bool {
        if isOpen { return Self.isLocal(authority ?? "") }
        return await allows(authorization: authorization)
    }

    /// Whether somebody may who says this in `Authorization`; nobody where there are no tokens.
    package func allows(authorization: String?) async -> Bool {
        guard let token = authorization.flatMap(Self.token) else { return false }
        if let operatorToken, Self.isSame(token, operatorToken) { return true }
        return await accepts(token)
    }

    /// Whether the client meant this machine. A page of the web whose name leads here does not.
    private static func isLocal(_ authority: String) -> Bool {
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return ["localhost", "127.0.0.1", "[::1]"].contains(host.lowercased())
    }

    /// As `Authorization: Bearer TOKEN`, or as the password of `Basic`, which is what Grafana's form has.
    static func token(in header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return String(parts[1])
        case "basic":
            guard let data = Data(base64Encoded: String(parts[1])) else { return nil }
            let pair = String(decoding: data, as: UTF8.self).split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return pair.count == 2 ? String(pair[1]) : nil
        default: return nil
        }
    }

    /// By whom it is asked, in a number that says nothing of the token.
    static func caller(of fields: HTTPFields) -> Int { fields[.authorization].flatMap(token).hashValue }

    /// In the same time whatever differs.
    private static func isSame(_ left: String, _ right: String) -> Bool {
        SHA256.hash(data: Data(left.utf8)) == SHA256.hash(data: Data(right.utf8))
    }
}
