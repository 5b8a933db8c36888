// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// A letter to one person, in plain text.
package struct Mail: Sendable, Equatable {
    package let recipient: String
    package let subject: String
    package let text: String

    package init(to recipient: String, subject: String, text: String) {
        (self.recipient, self.subject, self.text) = (recipient, subject, text)
    }

    /// Whether `text` is one plain address (RFC 5321 section 4.1.2, a dot-string at a domain): nothing in it is read as a list, a comment
    /// or a name, so that two texts are two mailboxes.
    package static func isAddress(_ text: String) -> Bool {
        text.utf8.count <= 254
            && text.wholeMatch(of: /[A-Za-z0-9_+][A-Za-z0-9!#$%&'*+\/=?^_`{|}~.\-]{0,63}@[A-Za-z0-9][A-Za-z0-9.\-]*/)
                != nil
    }

    /// The message (RFC 5322) in lines that end with a line feed, as sendmail takes it. It puts the date and the identifier in itself.
    func message(from sender: String, named name: String) -> [UInt8] {
        let fields = [
            "From: \(Self.encoded(name)) <\(sender)>", "To: <\(recipient)>", "Subject: \(Self.encoded(subject))",
            // Nobody's machine is to answer that they are on leave (RFC 3834 section 5).
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
        ]
        let body = Data(text.utf8).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
        return Array((fields.joined(separator: "\n") + "\n\n" + body + "\n").utf8)
    }

    /// Encoded words (RFC 2047 section 2), of 75 characters at most, so that nothing in a text can begin another field.
    private static func encoded(_ text: String) -> String {
        var words: [[UInt8]] = [[]]
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if words[words.count - 1].count + bytes.count > 45 { words.append([]) }
            words[words.count - 1] += bytes
        }
        return words.map { "=?utf-8?B?\(Data($0).base64EncodedString())?=" }.joined(separator: "\n ")
    }
}

/// Hands a letter on; returns when somebody else answers for it.
///
/// - Throws: ``Undeliverable`` where it will never be taken; anything else where it is worth trying again.
package typealias SendMail = @Sendable (Mail) async throws -> Void

/// Nobody can be written to there.
package struct Undeliverable: Error {
    package init() {}
}
