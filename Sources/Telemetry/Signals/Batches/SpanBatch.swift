// SPDX-License-Identifier: Apache-2.0

/// Spans from one request, in columns.
///
/// Texts are ranges of ``bytes``, which is the request's body itself wherever that is possible; nothing is copied.
public struct SpanBatch: Sendable {
    /// A row to append; its attributes, events and links are those appended since the row before.
    public struct Row: Sendable {
        public var traceHigh: UInt64 = 0
        public var traceLow: UInt64 = 0
        public var spanID: UInt64 = 0
        public var parentID: UInt64 = 0
        public var state = TextRange.empty
        public var name = TextRange.empty
        /// As OTLP numbers it, 0 to 5.
        public var kind: UInt8 = 0
        /// Nanoseconds since 1970, as all times.
        public var start: UInt64 = 0
        public var end: UInt64 = 0
        /// 0 unset, 1 ok, 2 error.
        public var status: UInt8 = 0
        public var statusMessage = TextRange.empty
        /// W3C trace flags in the low byte; bit 8 says that bit 9 is known, bit 9 that the parent is remote.
        public var flags: UInt32 = 0
        /// Attributes, events and links that the sender or the reader left out.
        public var dropped: UInt32 = 0

        public init() {}
    }

    public var bytes: [UInt8] = []
    public var origins = BatchOrigins()

    /// A place in the origins' scopes for each span.
    public private(set) var scopes: [UInt32] = []
    public private(set) var traceHighs: [UInt64] = []
    public private(set) var traceLows: [UInt64] = []
    public private(set) var spanIDs: [UInt64] = []
    public private(set) var parentIDs: [UInt64] = []
    public private(set) var states: [TextRange] = []
    public private(set) var names: [TextRange] = []
    public private(set) var kinds: [UInt8] = []
    public private(set) var starts: [UInt64] = []
    public private(set) var ends: [UInt64] = []
    public private(set) var statuses: [UInt8] = []
    public private(set) var statusMessages: [TextRange] = []
    public private(set) var flags: [UInt32] = []
    public private(set) var dropped: [UInt32] = []
    /// Where each span's attributes, events and links end; they begin where those before end.
    public private(set) var attributeEnds: [Int] = []
    public private(set) var eventEnds: [Int] = []
    public private(set) var linkEnds: [Int] = []

    public var attributes = AttributeColumns()
    public var events = EventColumns()
    public var links = LinkColumns()

    public init() {}

    public var count: Int { spanIDs.count }

    /// Attributes, events and links.
    public var parts: Int {
        attributes.count + events.count + events.attributes.count + links.count + links.attributes.count
    }

    public mutating func append(_ row: Row, scope: Int) {
        scopes.append(UInt32(scope))
        traceHighs.append(row.traceHigh)
        traceLows.append(row.traceLow)
        spanIDs.append(row.spanID)
        parentIDs.append(row.parentID)
        states.append(row.state)
        names.append(row.name)
        kinds.append(row.kind)
        starts.append(row.start)
        ends.append(row.end)
        statuses.append(row.status)
        statusMessages.append(row.statusMessage)
        flags.append(row.flags)
        dropped.append(row.dropped)
        attributeEnds.append(attributes.count)
        eventEnds.append(events.count)
        linkEnds.append(links.count)
    }

    /// Forgets the attributes, events and links that were appended since the last row.
    public mutating func abandonRow() {
        attributes.truncate(to: attributeEnds.last ?? 0)
        events.truncate(to: eventEnds.last ?? 0)
        links.truncate(to: linkEnds.last ?? 0)
    }

    public func attributes(of span: Int) -> Range<Int> { Self.range(span, attributeEnds) }
    public func events(of span: Int) -> Range<Int> { Self.range(span, eventEnds) }
    public func links(of span: Int) -> Range<Int> { Self.range(span, linkEnds) }

    static func range(_ place: Int, _ ends: [Int]) -> Range<Int> { (place == 0 ? 0 : ends[place - 1])..<ends[place] }
}

/// Events of many spans.
public struct EventColumns: Sendable {
    public private(set) var times: [UInt64] = []
    public private(set) var names: [TextRange] = []
    public private(set) var attributeEnds: [Int] = []
    public var attributes = AttributeColumns()

    public init() {}

    public var count: Int { times.count }

    /// Its attributes are those appended since the event before.
    public mutating func append(time: UInt64, name: TextRange) {
        times.append(time)
        names.append(name)
        attributeEnds.append(attributes.count)
    }

    public func attributes(of event: Int) -> Range<Int> { SpanBatch.range(event, attributeEnds) }

    mutating func truncate(to count: Int) {
        times.removeLast(times.count - count)
        names.removeLast(names.count - count)
        attributeEnds.removeLast(attributeEnds.count - count)
        attributes.truncate(to: attributeEnds.last ?? 0)
    }
}

/// Links of many spans.
public struct LinkColumns: Sendable {
    public private(set) var traceHighs: [UInt64] = []
    public private(set) var traceLows: [UInt64] = []
    public private(set) var spanIDs: [UInt64] = []
    public private(set) var states: [TextRange] = []
    public private(set) var attributeEnds: [Int] = []
    public var attributes = AttributeColumns()

    public init() {}

    public var count: Int { spanIDs.count }

    /// Its attributes are those appended since the link before.
    public mutating func append(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, state: TextRange) {
        traceHighs.append(traceHigh)
        traceLows.append(traceLow)
        spanIDs.append(spanID)
        states.append(state)
        attributeEnds.append(attributes.count)
    }

    public func attributes(of link: Int) -> Range<Int> { SpanBatch.range(link, attributeEnds) }

    mutating func truncate(to count: Int) {
        traceHighs.removeLast(traceHighs.count - count)
        traceLows.removeLast(traceLows.count - count)
        spanIDs.removeLast(spanIDs.count - count)
        states.removeLast(states.count - count)
        attributeEnds.removeLast(attributeEnds.count - count)
        attributes.truncate(to: attributeEnds.last ?? 0)
    }
}
