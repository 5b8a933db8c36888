// SPDX-License-Identifier: Apache-2.0

/// What Redis answers.
package enum RedisValue: Sendable, Hashable {
    case bytes([UInt8])
    case integer(Int)
    case array([RedisValue])
    case null

    package var text: String? {
        if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
}

/// Why there is no answer.
package enum RedisError: Error, Hashable, CustomStringConvertible {
    /// There is no connection. Nothing was sent.
    case unavailable(String)
    /// Redis has not answered others in time. Nothing was sent.
    case silent
    /// There was no answer in time, or the connection broke before it. The command may have been done, or may still be.
    case timedOut
    /// Too many wait for answers. Nothing was sent.
    case overloaded
    /// Redis says that it cannot.
    case refused(String)

    package var description: String {
        switch self {
        case .unavailable(let reason): "Redis cannot be reached: \(reason)"
        case .silent: "Redis does not answer at the moment."
        case .timedOut: "Redis did not answer in time."
        case .overloaded: "Too many commands wait for Redis."
        case .refused(let reason): "Redis refused: \(reason)"
        }
    }

    /// The same in a word or two, for whoever adds to it.
    var reason: String {
        switch self {
        case .unavailable(let reason), .refused(let reason): reason
        case .silent, .timedOut, .overloaded: "there was no answer in time"
        }
    }
}
