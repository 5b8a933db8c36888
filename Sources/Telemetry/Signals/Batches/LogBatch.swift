// SPDX-License-Identifier: Apache-2.0

/// Log records from one request, in columns.
public struct LogBatch: Sendable {
    /// A row to append; its attributes are those appended since the row before.
    public struct Row: Sendable {
        /// Nanoseconds since 1970; 0 where the sender did not know.
        public var time: UInt64 = 0
        public var observedTime: UInt64 = 0
        /// 1 to 24; 0 where the sender did not say.
        public var severity: UInt8 = 0
        public var severityText = TextRange.empty
        public var bodyKind = AttributeColumns.Kind.empty
        public var body: UInt64 = 0
        public var eventName = TextRange.empty
        /// Zeros where the record belongs to no trace.
        public var traceHigh: UInt64 = 0
        public var traceLow: UInt64 = 0
        public var spanID: UInt64 = 0
        public var flags: UInt32 = 0
        /// Attributes that the sender or the reader left out.
        public var dropped: UInt32 = 0

        public init() {}
    }

    public var bytes: [UInt8] = []
    public var origins = BatchOrigins()

    /// A place in the origins' scopes for each record.
    public private(set) var scopes: [UInt32] = []
    public private(set) var times: [UInt64] = []
    public private(set) var observedTimes: [UInt64] = []
    public private(set) var severities: [UInt8] = []
    public private(set) var severityTexts: [TextRange] = []
    public private(set) var bodyKinds: [AttributeColumns.Kind] = []
    public private(set) var bodies: [UInt64] = []
    public private(set) var eventNames: [TextRange] = []
    public private(set) var traceHighs: [UInt64] = []
    public private(set) var traceLows: [UInt64] = []
    public private(set) var spanIDs: [UInt64] = []
    public private(set) var flags: [UInt32] = []
    public private(set) var dropped: [UInt32] = []
    public private(set) var attributeEnds: [Int] = []
    public var attributes = AttributeColumns()

    public init() {}

    public var count: Int { times.count }

    public mutating func append(_ row: Row, scope: Int) {
        scopes.append(UInt32(scope))
        times.append(row.time)
        observedTimes.append(row.observedTime)
        severities.append(row.severity)
        severityTexts.append(row.severityText)
        bodyKinds.append(row.bodyKind)
        bodies.append(row.body)
        eventNames.append(row.eventName)
        traceHighs.append(row.traceHigh)
        traceLows.append(row.traceLow)
        spanIDs.append(row.spanID)
        flags.append(row.flags)
        dropped.append(row.dropped)
        attributeEnds.append(attributes.count)
    }

    public func attributes(of record: Int) -> Range<Int> { SpanBatch.range(record, attributeEnds) }
}
