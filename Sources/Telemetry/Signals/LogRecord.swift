// SPDX-License-Identifier: Apache-2.0

/// A log line (OpenTelemetry log data model).
public struct LogRecord: Sendable {
    /// Nanoseconds since 1970.
    public let time: UInt64
    public let severity: Severity
    public let body: String
    /// The logger's label.
    public let scope: String
    public let trace: TraceContext?
    public let attributes: [Attribute]

    public init(
        time: UInt64, severity: Severity, body: String, scope: String, trace: TraceContext? = nil,
        attributes: [Attribute] = []
    ) {
        self.time = time
        self.severity = severity
        self.body = body
        self.scope = scope
        self.trace = trace
        self.attributes = attributes
    }

    func with(_ more: [Attribute]) -> LogRecord {
        LogRecord(
            time: time, severity: severity, body: body, scope: scope, trace: trace, attributes: attributes + more)
    }
}

/// How grave a log line is, with OpenTelemetry's number.
public enum Severity: Int, Sendable {
    case trace = 1
    case debug = 5
    case info = 9
    /// swift-log's `notice`.
    case info2 = 10
    case warn = 13
    case error = 17
    /// swift-log's `critical`.
    case fatal = 21

    public var text: String {
        switch self {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO"
        case .info2: "INFO2"
        case .warn: "WARN"
        case .error: "ERROR"
        case .fatal: "FATAL"
        }
    }
}
