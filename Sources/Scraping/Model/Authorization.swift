// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import NIOSSL

/// A text that nobody else is to know.
package enum Secret: Sendable, CustomStringConvertible {
    case text(String)
    /// Read each time, because whoever writes it may renew it.
    case file(String)

    package var description: String {
        switch self {
        case .text: "a secret"
        case .file(let path): "a secret in \(path)"
        }
    }

    /// - Throws: `Failure` with `misconfigured` where the file cannot be read, or cannot stand in a header field.
    func value() throws -> String {
        let value: String
        switch self {
        case .text(let text): value = text
        case .file(let path):
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw Failure(.misconfigured, "\(path) cannot be read.")
            }
            value = text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        // Whoever refuses it later would say what it is.
        guard HeaderText.isValid(value) else { throw Failure(.misconfigured, "\(self) has control characters.") }
        return value
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

    /// Where a request for a token names its client (section 2.3.1). Servers know one way or both.
    enum Naming { case header, form }

    func authorization() throws -> String {
        Self.basic("\(FormText.escaped(id)):\(FormText.escaped(try secret.value()))")
    }

    func form(_ naming: Naming) throws -> String {
        let scope = scopes.isEmpty ? [] : [(name: "scope", value: scopes.joined(separator: " "))]
        let client = naming == .header ? [] : [(name: "client_id", value: id), ("client_secret", try secret.value())]
        return FormText.of([("grant_type", "client_credentials")] + scope + parameters + client)
    }

    static func basic(_ pair: String) -> String { "Basic " + Data(pair.utf8).base64EncodedString() }
}

enum HeaderText {
    /// RFC 9110, section 5.5.
    static func isValid(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") }
    }
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
