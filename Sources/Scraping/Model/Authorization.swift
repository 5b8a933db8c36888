// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import NIOSSL

/// A text that nobody else is to know.
package enum Secret: Sendable {
    case text(String)
    /// Read each time, because whoever writes it may renew it.
    case file(String)

    /// - Throws: `Failure` with `misconfigured` where the file cannot be read.
    func value() throws -> String {
        switch self {
        case .text(let text): return text
        case .file(let path):
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw Failure(.misconfigured, "\(path) cannot be read.")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }
}

extension ScrapeJob {
    /// What targets are shown of who asks, as `Authorization`.
    package enum Authorization: Sendable {
        case basic(user: String, password: Secret)
        case credentials(type: String, Secret)
        /// A token that is asked for where the client is known.
        case oauth(OAuthClient)
    }
}

/// Who asks an authorization server for tokens of its own (RFC 6749, section 4.4).
package struct OAuthClient: Sendable {
    let id: String
    let secret: Secret
    let tokenURL: String
    let scopes: [String]
    let parameters: [(name: String, value: String)]
    let tls: TLSConfiguration?

    /// `Authorization` of a request for a token (section 2.3.1).
    func authorization() throws -> String {
        Self.basic("\(FormText.escaped(id)):\(FormText.escaped(try secret.value()))")
    }

    var form: String {
        let scope = scopes.isEmpty ? [] : [(name: "scope", value: scopes.joined(separator: " "))]
        return FormText.of([("grant_type", "client_credentials")] + scope + parameters)
    }

    static func basic(_ pair: String) -> String { "Basic " + Data(pair.utf8).base64EncodedString() }
}

/// Names and values as queries of addresses and forms have them.
enum FormText {
    static func of(_ pairs: [(name: String, value: String)]) -> String {
        pairs.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: "&")
    }

    static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { text, byte in
            let isPlain =
                byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            if isPlain {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
