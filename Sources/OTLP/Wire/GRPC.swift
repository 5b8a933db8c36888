// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

/// What gRPC adds to HTTP/2 (gRPC over HTTP/2), as far as unary calls of OTLP need it.
package enum GRPC {
    /// Status codes that OTLP speaks of (OTLP specification, OTLP/gRPC response).
    enum Code: Int {
        case ok = 0
        case cancelled = 1
        case unknown = 2
        case invalidArgument = 3
        case deadlineExceeded = 4
        case resourceExhausted = 8
        case aborted = 10
        case outOfRange = 11
        case unimplemented = 12
        case unavailable = 14
        case dataLoss = 15
        case unauthenticated = 16

        /// Whether the same request may succeed later. An exhausted resource may only where the collector says when.
        func isRetryable(hasAdvice: Bool) -> Bool {
            switch self {
            case .cancelled, .deadlineExceeded, .aborted, .outOfRange, .unavailable, .dataLoss: true
            case .resourceExhausted: hasAdvice
            case .ok, .unknown, .invalidArgument, .unimplemented, .unauthenticated: false
            }
        }
    }

    static func path(of signal: Signal) -> String {
        switch signal {
        case .traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        case .metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
        case .logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        }
    }

    /// One byte that says whether the message is compressed and four of its length stand before it.
    static let prefixCount = 5

    static func prefix(count: Int, isCompressed: Bool) -> [UInt8] {
        [isCompressed ? 1 : 0] + withUnsafeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian) { Array($0) }
    }

    /// The only message of a call.
    ///
    /// - Returns: `nil` where there is none, more than one, or one that is cut off.
    package static func message(in bytes: [UInt8]) -> (bytes: [UInt8], isCompressed: Bool)? {
        guard bytes.count >= prefixCount, bytes[0] <= 1 else { return nil }
        let count = bytes[1..<prefixCount].reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count == prefixCount + count else { return nil }
        return (Array(bytes[prefixCount...]), bytes[0] == 1)
    }

    /// `grpc-message` is percent-encoded.
    static func encoded(_ message: String) -> String {
        message.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }

    private static let plain = CharacterSet(charactersIn: " "..."~").subtracting(CharacterSet(charactersIn: "%"))

    /// `grpc-status-details-bin` is base64, with padding or without.
    static func details(_ text: String) -> [UInt8] {
        let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: padded).map(Array.init) ?? []
    }
}
