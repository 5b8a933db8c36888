// SPDX-License-Identifier: Apache-2.0

/// What a database refused, by the kind of answer it calls for.
package struct DatabaseError: Error, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// A row with the same unique key exists.
        case unique
        /// A value breaks a `CHECK` of the schema.
        case check
        /// A row that is referred to does not exist, or is still referred to.
        case foreignKey = "foreign_key"
        case notNull = "not_null"
        /// Another process holds the lock; trying again helps.
        case busy
        /// The disk is full.
        case full
        /// The file or the directory may not be written.
        case readOnly = "read_only"
        /// The stored data is not what was written.
        case corrupt
        /// The database cannot be reached; it is tried again with every request.
        case connection
        /// Two transactions wanted what the other had; trying again helps.
        case conflict
        /// The storage failed below the database.
        case io
        /// The caller's deadline passed while the statement ran; it changed nothing.
        case timedOut = "timed_out"
        /// A statement that the engine does not accept: a mistake of ours.
        case statement
    }

    package let kind: Kind
    /// SQLSTATE on Postgres, the extended result code on SQLite.
    package let code: String
    package let message: String
    /// The statement's text, without values.
    package let statement: String?

    package init(kind: Kind, code: String, message: String, statement: String?) {
        self.kind = kind
        self.code = code
        self.message = message
        self.statement = statement
    }

    package var description: String {
        "\(kind.rawValue) (\(code)): \(message)" + (statement.map { " in: \($0)" } ?? "")
    }

    /// Whether the database cannot work at all just now, whatever is asked of it.
    package var isUnavailability: Bool {
        switch kind {
        case .busy, .full, .readOnly, .corrupt, .connection, .conflict, .io, .timedOut: true
        case .unique, .check, .foreignKey, .notNull, .statement: false
        }
    }
}
