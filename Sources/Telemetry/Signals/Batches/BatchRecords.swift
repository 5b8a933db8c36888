// SPDX-License-Identifier: Apache-2.0

internal import Kernel

// Single rows of batches as records, for people and for tests; engines read columns.

extension SpanBatch {
    /// One span. Cost: a copy of all its texts.
    public func record(_ place: Int) -> SpanRecord {
        var span = SpanRecord(
            context: TraceContext(
                traceID: TraceID(high: traceHighs[place], low: traceLows[place]), spanID: spanIDs[place],
                isSampled: flags[place] & 1 != 0, isRandom: flags[place] & 2 != 0, state: bytes.text(states[place])),
            parentID: parentIDs[place], hasRemoteParent: flags[place] & 0x200 != 0, name: bytes.text(names[place]),
            kind: SpanRecord.Kind(rawValue: Int(kinds[place])) ?? .internal, start: starts[place], end: ends[place],
            attributes: attributes.list(attributes(of: place), in: bytes))
        switch statuses[place] {
        case 1: span.status = .ok
        case 2: span.status = .error(bytes.text(statusMessages[place]))
        default: break
        }
        span.events = events(of: place).map { event in
            SpanRecord.Event(
                name: bytes.text(events.names[event]), time: events.times[event],
                attributes: events.attributes.list(events.attributes(of: event), in: bytes))
        }
        span.links = links(of: place).map { link in
            SpanRecord.Link(
                context: TraceContext(
                    traceID: TraceID(high: links.traceHighs[link], low: links.traceLows[link]),
                    spanID: links.spanIDs[link], state: bytes.text(links.states[link])),
                attributes: links.attributes.list(links.attributes(of: link), in: bytes))
        }
        return span
    }

    /// Who sent a span.
    public func resource(of place: Int) -> Resource { origins.resource(ofScope: Int(scopes[place]), in: bytes) }
}

extension LogBatch {
    /// One record. Cost: a copy of all its texts.
    public func record(_ place: Int) -> LogRecord {
        let body = AttributeColumns.value(bodyKinds[place], bodies[place], in: bytes)
        let context = TraceContext(
            traceID: TraceID(high: traceHighs[place], low: traceLows[place]), spanID: spanIDs[place],
            isSampled: flags[place] & 1 != 0)
        return LogRecord(
            time: times[place] == 0 ? observedTimes[place] : times[place],
            severity: Severity(number: severities[place]),
            body: body?.text ?? "", scope: bytes.text(origins.scopes[Int(scopes[place])].name),
            trace: context.traceID.isValid ? context : nil,
            attributes: attributes.list(attributes(of: place), in: bytes))
    }

    /// Who sent a record.
    public func resource(of place: Int) -> Resource { origins.resource(ofScope: Int(scopes[place]), in: bytes) }
}

extension MetricBatch {
    /// A point's number; of a distribution its count and sum.
    func shown(_ point: Int) -> AttributeValue {
        switch points[point].value {
        case .int(let value): .int(value)
        case .double(let value): .double(value)
        case .histogram(let place):
            .map(
                [Attribute("count", .int(Int64(clamping: histograms[place].count)))]
                    + (histograms[place].sum.map { [Attribute("sum", .double($0))] } ?? []))
        case .none: .string("none")
        }
    }
}

extension BatchOrigins {
    /// The sender of what a scope recorded.
    public func resource(ofScope scope: Int, in bytes: [UInt8]) -> Resource {
        let resource = resources[scopes[scope].resource]
        return Resource(resourceAttributes.list(resource.attributes, in: bytes))
    }
}

extension AttributeColumns {
    /// The attributes of an owner; those without a value are left out.
    public func list(_ places: Range<Int>, in bytes: [UInt8]) -> [Attribute] {
        places.compactMap { place in
            Self.value(kinds[place], values[place], in: bytes).map { Attribute(bytes.text(names[place]), $0) }
        }
    }

    /// - Returns: `nil` for a value that is not set.
    public static func value(_ kind: Kind, _ value: UInt64, in bytes: [UInt8]) -> AttributeValue? {
        switch kind {
        case .empty: nil
        case .string: .string(bytes.text(TextRange(bits: value)))
        case .bool: .bool(value != 0)
        case .int: .int(Int64(bitPattern: value))
        case .double: .double(Double(bitPattern: value))
        case .bytes: .bytes(Array(bytes[TextRange(bits: value).range]))
        case .json: (try? JSON.parse(bytes[TextRange(bits: value).range], depthMax: 128)).flatMap(AttributeValue.init)
        }
    }
}

extension AttributeValue {
    fileprivate init?(_ json: JSON) {
        switch json {
        case .null: return nil
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .int(value)
        case .decimal(let text): self = .double(Double(text) ?? .nan)
        case .string(let text): self = .string(text)
        case .array(let values): self = .array(values.compactMap(AttributeValue.init))
        case .object(let members):
            self = .map(
                members.compactMap { member in AttributeValue(member.value).map { Attribute(member.name, $0) } })
        }
    }
}

extension Severity {
    /// The nearest that swift-log has, of OpenTelemetry's 24.
    init(number: UInt8) {
        self =
            switch number {
            case ...4: .trace
            case ...8: .debug
            case 9: .info
            case ...12: .info2
            case ...16: .warn
            case ...20: .error
            default: .fatal
            }
    }
}

extension [UInt8] {
    /// What is no UTF-8 is repaired.
    package func text(_ range: TextRange) -> String { String(decoding: self[range.range], as: UTF8.self) }
}
