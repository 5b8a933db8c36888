// SPDX-License-Identifier: Apache-2.0

internal import Tracing

/// Spans of one trace that have ended, packed; what the sampler holds until it has decided.
struct SpanBundle: Sendable {
    /// The trace, with the span that began it in this process.
    let trace: TraceContext
    /// The spans from ``place`` on; perhaps those of other traces, too.
    private(set) var bytes: [UInt8]
    private(set) var place = 0
    /// How many bytes of them are its own.
    private(set) var length = 0
    private(set) var count = 0
    private(set) var isError = false
    private var isChosen = false
    /// The name and the duration of the span that began it, once that has ended.
    private var root: (name: String, duration: UInt64)?
    private var exemplars: [(measured: SpanRecord.Measured, spanID: UInt64, time: UInt64)] = []

    /// `buffer` is where it is written, and empty.
    init(_ trace: TraceContext, in buffer: [UInt8]) { (self.trace, bytes) = (trace, buffer) }

    /// Whether the span that began it in this process has ended.
    var isWhole: Bool { root != nil }

    /// The same, with its bytes elsewhere.
    func placed(in bytes: [UInt8], at place: Int) -> SpanBundle {
        var copy = self
        (copy.bytes, copy.place) = (bytes, place)
        return copy
    }

    mutating func append(
        _ head: PackedSpan.Head, _ span: borrowing LiveSpan.State, isRoot: Bool, isChosen: Bool
    ) {
        PackedSpan.write(head, span, to: &bytes)
        length = bytes.count
        count += 1
        if case .error = span.status { isError = true }
        self.isChosen = self.isChosen || isChosen
        if isRoot { root = (span.name, span.end - head.start) }
        for measured in span.exemplars { exemplars.append((measured, head.spanID, span.end)) }
    }

    /// What the sampler looks at.
    var facts: TailSampler<SpanBundle>.Facts {
        .init(
            traceID: trace.traceID, isRoot: root != nil, isError: isError, isChosen: isChosen, route: root?.name ?? "",
            duration: .nanoseconds(root?.duration ?? 0), bytes: 200 + length + exemplars.count * 32, spans: count)
    }

    /// All of it, once it is known that it is kept.
    func records(adjustedCount: Double) -> [SpanRecord] {
        bytes.withUnsafeBytes { bytes in
            var reader = PackedReader(UnsafeRawBufferPointer(rebasing: bytes[place..<place + length]))
            return (0..<count).map { _ in
                var record = PackedSpan.read(from: &reader, of: trace)
                record.adjustedCount = adjustedCount
                return record
            }
        }
    }

    /// Shows this trace beside what was measured in it.
    func showExemplars() {
        for (measured, spanID, time) in exemplars {
            measured.series.attach(
                Exemplar(value: measured.value, traceID: trace.traceID, spanID: spanID, time: time))
        }
    }
}

/// A span as bytes, within the process. Lists end with a zero where the next kind of value would stand.
enum PackedSpan {
    /// What of a span does not change.
    struct Head {
        let spanID: UInt64
        let parentID: UInt64
        let hasRemoteParent: Bool
        let kind: SpanRecord.Kind
        let start: UInt64
    }

    private enum Mark {
        static let string: UInt8 = 1
        static let int: UInt8 = 2
        static let double: UInt8 = 3
        static let no: UInt8 = 4
        static let yes: UInt8 = 5
        static let bytes: UInt8 = 6
        static let array: UInt8 = 7
        static let map: UInt8 = 8
    }

    // MARK: In

    static func write(_ head: Head, _ span: borrowing LiveSpan.State, to bytes: inout [UInt8]) {
        bytes.put(head.spanID)
        bytes.put(head.parentID)
        bytes.put(head.start)
        bytes.put(span.end)
        let status: UInt8 =
            switch span.status {
            case .unset: 0;
            case .ok: 1;
            case .error: 2
            }
        bytes.append(UInt8(head.kind.rawValue) | status << 4 | (head.hasRemoteParent ? 0x80 : 0))
        bytes.put(span.name)
        if case .error(let message) = span.status { bytes.put(message) }
        write(span.attributes, to: &bytes)
        for attribute in span.ownAttributes { write(attribute, to: &bytes) }
        bytes.append(0)
        for event in span.events {
            bytes.append(1)
            bytes.put(event.name)
            bytes.put(event.nanosecondsSinceEpoch)
            write(event.attributes, to: &bytes)
            bytes.append(0)
        }
        bytes.append(0)
        for link in span.links {
            guard let trace = link.context.trace else { continue }
            bytes.append(1)
            bytes.put(trace.traceID.high)
            bytes.put(trace.traceID.low)
            bytes.put(trace.spanID)
            bytes.append((trace.isSampled ? 1 : 0) | (trace.isRandom ? 2 : 0))
            bytes.put(trace.state)
            write(link.attributes, to: &bytes)
            bytes.append(0)
        }
        bytes.append(0)
    }

    /// Whether the span has one of these attributes.
    static func has(_ chosen: [Attribute], _ span: borrowing LiveSpan.State) -> Bool {
        var found = span.ownAttributes.contains { chosen.contains($0) }
        span.attributes.forEach { name, value in
            if let value = AttributeValue(value), chosen.contains(Attribute(name, value)) { found = true }
        }
        return found
    }

    private static func write(_ attributes: SpanAttributes, to bytes: inout [UInt8]) {
        var left = LiveSpan.attributesMax
        attributes.forEach { name, value in
            guard left > 0 else { return }
            left -= 1
            switch value {
            case .string(let text):
                bytes.append(Mark.string)
                bytes.put(name)
                bytes.put(text)
            default: if let value = AttributeValue(value) { write(Attribute(name, value), to: &bytes) }
            }
        }
    }

    private static func write(_ attribute: Attribute, to bytes: inout [UInt8]) {
        write(attribute.value, named: attribute.name, to: &bytes)
    }

    /// The kind of a value, its name where it has one, and itself.
    private static func write(_ value: AttributeValue, named name: String?, to bytes: inout [UInt8]) {
        func begin(_ mark: UInt8) {
            bytes.append(mark)
            if let name { bytes.put(name) }
        }
        switch value {
        case .string(let text):
            begin(Mark.string)
            bytes.put(text)
        case .int(let value):
            begin(Mark.int)
            bytes.put(UInt64(bitPattern: value))
        case .double(let value):
            begin(Mark.double)
            bytes.put(value.bitPattern)
        case .bool(let value): begin(value ? Mark.yes : Mark.no)
        case .bytes(let data):
            begin(Mark.bytes)
            bytes.put(UInt64(data.count))
            bytes += data
        case .array(let values):
            begin(Mark.array)
            for value in values { write(value, named: nil, to: &bytes) }
            bytes.append(0)
        case .map(let members):
            begin(Mark.map)
            for member in members { write(member, to: &bytes) }
            bytes.append(0)
        }
    }

    // MARK: Out

    static func read(from reader: inout PackedReader, of trace: TraceContext) -> SpanRecord {
        var context = trace
        context.spanID = reader.number()
        let (parentID, start, end, flags) = (reader.number(), reader.number(), reader.number(), reader.byte())
        let name = reader.text()
        let status: SpanRecord.Status =
            switch flags >> 4 & 3 {
            case 0: .unset
            case 1: .ok
            default: .error(reader.text())
            }
        let attributes = attributes(from: &reader)
        var events: [SpanRecord.Event] = []
        while reader.byte() != 0 {
            events.append(
                SpanRecord.Event(name: reader.text(), time: reader.number(), attributes: Self.attributes(from: &reader))
            )
        }
        var links: [SpanRecord.Link] = []
        while reader.byte() != 0 {
            let id = TraceID(high: reader.number(), low: reader.number())
            let (spanID, flags) = (reader.number(), reader.byte())
            let linked = TraceContext(
                traceID: id, spanID: spanID, isSampled: flags & 1 != 0, isRandom: flags & 2 != 0, state: reader.text())
            links.append(SpanRecord.Link(context: linked, attributes: Self.attributes(from: &reader)))
        }
        return SpanRecord(
            context: context, parentID: parentID, hasRemoteParent: flags & 0x80 != 0, name: name,
            kind: SpanRecord.Kind(rawValue: Int(flags & 0xF)) ?? .internal, start: start, end: end, status: status,
            attributes: attributes, events: events, links: links)
    }

    private static func attributes(from reader: inout PackedReader) -> [Attribute] {
        var attributes: [Attribute] = []
        while case let mark = reader.byte(), mark != 0 {
            let name = reader.text()
            attributes.append(Attribute(name, value(mark, from: &reader)))
        }
        return attributes
    }

    private static func value(_ mark: UInt8, from reader: inout PackedReader) -> AttributeValue {
        switch mark {
        case Mark.string: return .string(reader.text())
        case Mark.int: return .int(Int64(bitPattern: reader.number()))
        case Mark.double: return .double(Double(bitPattern: reader.number()))
        case Mark.no: return .bool(false)
        case Mark.yes: return .bool(true)
        case Mark.bytes: return .bytes(Array(reader.bytes(Int(reader.number()))))
        case Mark.array:
            var values: [AttributeValue] = []
            while case let mark = reader.byte(), mark != 0 { values.append(value(mark, from: &reader)) }
            return .array(values)
        default: return .map(attributes(from: &reader))
        }
    }
}

/// Reads what ``PackedSpan`` wrote.
struct PackedReader {
    private let data: UnsafeRawBufferPointer
    private var place = 0

    init(_ data: UnsafeRawBufferPointer) { self.data = data }

    mutating func byte() -> UInt8 {
        defer { place += 1 }
        return data[place]
    }

    mutating func number() -> UInt64 {
        defer { place += 8 }
        return data.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    }

    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: data[place..<place + count])
    }

    mutating func text() -> String {
        var length = Int(byte())
        if length == 0xFF { length = Int(number()) }
        return String(decoding: bytes(length), as: UTF8.self)
    }
}

extension [UInt8] {
    fileprivate mutating func put(_ number: UInt64) {
        Swift.withUnsafeBytes(of: number) { append(contentsOf: $0) }
    }

    /// The length in a byte, or in eight after one that says so.
    fileprivate mutating func put(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            if utf8.count < 0xFF {
                append(UInt8(utf8.count))
            } else {
                append(0xFF)
                put(UInt64(utf8.count))
            }
            append(contentsOf: utf8)
        }
    }
}
