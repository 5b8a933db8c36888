// SPDX-License-Identifier: Apache-2.0

/// A span that has ended (OpenTelemetry trace data model).
public struct SpanRecord: Sendable {
    public enum Kind: Int, Sendable {
        case `internal` = 1
        case server, client, producer, consumer
    }

    public enum Status: Hashable, Sendable {
        case unset
        case ok
        case error(String)
    }

    public struct Event: Sendable {
        public let name: String
        /// Nanoseconds since 1970.
        public let time: UInt64
        public let attributes: [Attribute]

        public init(name: String, time: UInt64, attributes: [Attribute] = []) {
            self.name = name
            self.time = time
            self.attributes = attributes
        }
    }

    public struct Link: Sendable {
        public let context: TraceContext
        public let attributes: [Attribute]

        public init(context: TraceContext, attributes: [Attribute] = []) {
            self.context = context
            self.attributes = attributes
        }
    }

    public var context: TraceContext
    /// 0 for the first span of a trace.
    public var parentID: UInt64
    /// Whether the parent belongs to another process.
    public var hasRemoteParent: Bool
    public var name: String
    public var kind: Kind
    /// Nanoseconds since 1970.
    public var start: UInt64
    public var end: UInt64
    public var status: Status
    public var attributes: [Attribute]
    public var events: [Event]
    public var links: [Link]
    /// How many spans of its kind this one stands for: 1 divided by the probability with which it was kept.
    public var adjustedCount = 1.0

    /// What was measured in its course.
    struct Measured: Sendable {
        let value: Double
        let series: HistogramSeries
    }

    public init(
        context: TraceContext, parentID: UInt64, hasRemoteParent: Bool, name: String, kind: Kind, start: UInt64,
        end: UInt64, status: Status = .unset, attributes: [Attribute] = [], events: [Event] = [], links: [Link] = []
    ) {
        self.context = context
        self.parentID = parentID
        self.hasRemoteParent = hasRemoteParent
        self.name = name
        self.kind = kind
        self.start = start
        self.end = end
        self.status = status
        self.attributes = attributes
        self.events = events
        self.links = links
    }

    /// Nanoseconds.
    public var duration: UInt64 { end > start ? end - start : 0 }

    public var isError: Bool { if case .error = status { true } else { false } }
}
