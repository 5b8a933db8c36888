// SPDX-License-Identifier: Apache-2.0

/// The world failed: a disk, a network, another system. Not for what a caller did wrong, nor for our own mistakes.
package struct Failure: Error, CustomStringConvertible {
    /// What an operator can do about it.
    package enum Code: String, Sendable {
        /// A queue is full; trying again later helps.
        case overloaded
        /// A deadline passed before there was an answer.
        case timedOut = "timed_out"
        /// A dependency cannot be reached or refuses to work.
        case unavailable
        /// Stored data is not what was written.
        case corrupt
        /// The configuration does not allow what was asked.
        case misconfigured
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { "\(code.rawValue): \(message)" + (cause.map { " (\($0))" } ?? "") }
}
