// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import PromQL

/// What a client asks for, from the address or from a form, read as Prometheus reads it.
struct Parameters {
    private var values: [String: [String]] = [:]

    /// `text` is the query of an address or the body of a form.
    mutating func add(_ text: String) {
        for pair in text.unicodeScalars.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { Self.decoded(String($0)) }
            values[parts[0], default: []].append(parts.count > 1 ? parts[1] : "")
        }
    }

    private static func decoded(_ text: String) -> String {
        let plain = text.replacing("+", with: " ")
        return plain.removingPercentEncoding ?? plain
    }

    func all(_ name: String) -> [String] { values[name] ?? values[name + "[]"] ?? [] }

    subscript(name: String) -> String? { values[name]?.first.flatMap { $0.isEmpty ? nil : $0 } }

    /// Milliseconds since 1970, written as seconds or as in RFC 3339.
    func time(_ name: String) throws(APIError) -> Int64? {
        guard let text = self[name] else { return nil }
        if let seconds = Double(text), seconds.magnitude < QueryEngine.secondsMax {
            return Int64((seconds * 1_000).rounded())
        }
        for style in [Date.ISO8601FormatStyle(includingFractionalSeconds: true), .iso8601] {
            if let date = try? style.parse(text) { return Int64((date.timeIntervalSince1970 * 1_000).rounded()) }
        }
        throw .badData("invalid parameter \"\(name)\": cannot parse \"\(text)\" to a valid timestamp")
    }

    /// Milliseconds, written as seconds or as a duration such as `1m30s`.
    func duration(_ name: String) throws(APIError) -> Int64? {
        guard let text = self[name] else { return nil }
        if let seconds = Double(text), seconds.magnitude < QueryEngine.secondsMax {
            return Int64((seconds * 1_000).rounded())
        }
        if let milliseconds = QueryEngine.milliseconds(of: text) { return milliseconds }
        throw .badData("invalid parameter \"\(name)\": cannot parse \"\(text)\" to a valid duration")
    }

    /// 0 takes all.
    func limit() throws(APIError) -> Int {
        guard let text = self["limit"] else { return 0 }
        guard let limit = Int(text), limit >= 0 else {
            throw .badData("invalid parameter \"limit\": must be a number of 0 or more")
        }
        return limit
    }

    func required(_ name: String) throws(APIError) -> String {
        guard let text = self[name] else { throw .badData("invalid parameter \"\(name)\": it is missing") }
        return text
    }
}

/// Why there is no answer, as Prometheus says it.
enum APIError: Error {
    case badData(String)
    case execution(String)
    case timeout(String)
    case unavailable(String)
    case notFound(String)
    /// Too much is asked at once.
    case overloaded(String)

    var type: String {
        switch self {
        case .badData: "bad_data"
        case .execution: "execution"
        case .timeout: "timeout"
        case .unavailable, .overloaded: "unavailable"
        case .notFound: "not_found"
        }
    }

    var status: Int {
        switch self {
        case .badData: 400
        case .execution: 422
        case .timeout, .unavailable: 503
        case .notFound: 404
        case .overloaded: 429
        }
    }

    var message: String {
        switch self {
        case .badData(let words), .execution(let words), .timeout(let words), .unavailable(let words),
            .notFound(let words), .overloaded(let words):
            words
        }
    }
}
