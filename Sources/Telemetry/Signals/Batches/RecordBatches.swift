// SPDX-License-Identifier: Apache-2.0

internal import Kernel

// Records of this process as batches, which is how they are kept. Cost: a copy of all texts.

extension SpanBatch {
    /// Spans of one sender. What ``SpanRecord/adjustedCount`` says is an attribute, as it is on the wire.
    package init(_ spans: [SpanRecord], from resource: Resource, flags: UInt32 = 0) {
        self.init()
        let scope = origins.begin(resource, in: &bytes)
        for span in spans {
            var row = Row()
            (row.traceHigh, row.traceLow) = (span.context.traceID.high, span.context.traceID.low)
            (row.spanID, row.parentID) = (span.context.spanID, span.parentID)
            (row.start, row.end, row.kind) = (span.start, span.end, UInt8(span.kind.rawValue))
            row.state = bytes.add(span.context.state)
            row.name = bytes.add(span.name)
            switch span.status {
            case .unset: break
            case .ok: row.status = 1
            case .error(let message): (row.status, row.statusMessage) = (2, bytes.add(message))
            }
            row.flags = flags | 0x100 | (span.hasRemoteParent ? 0x200 : 0)
            row.flags |= (span.context.isSampled ? 1 : 0) | (span.context.isRandom ? 2 : 0)
            attributes.append(span.attributes, in: &bytes)
            if span.adjustedCount != 1 {
                attributes.append([Attribute("sampler.adjusted_count", .double(span.adjustedCount))], in: &bytes)
            }
            for event in span.events {
                events.attributes.append(event.attributes, in: &bytes)
                events.append(time: event.time, name: bytes.add(event.name))
            }
            for link in span.links {
                links.attributes.append(link.attributes, in: &bytes)
                links.append(
                    traceHigh: link.context.traceID.high, traceLow: link.context.traceID.low,
                    spanID: link.context.spanID, state: bytes.add(link.context.state))
            }
            append(row, scope: scope)
        }
    }
}

extension LogBatch {
    /// Log lines of one sender; the logger's label is the scope.
    package init(_ logs: [LogRecord], from resource: Resource) {
        self.init()
        var scopes: [String: Int] = [:]
        for log in logs {
            let scope = scopes[log.scope] ?? origins.begin(scopes.isEmpty ? resource : nil, log.scope, in: &bytes)
            scopes[log.scope] = scope
            var row = Row()
            (row.time, row.observedTime) = (log.time, log.time)
            (row.severity, row.severityText) = (UInt8(log.severity.rawValue), bytes.add(log.severity.text))
            (row.bodyKind, row.body) = (.string, bytes.add(log.body).bits)
            if let trace = log.trace {
                (row.traceHigh, row.traceLow, row.spanID) = (trace.traceID.high, trace.traceID.low, trace.spanID)
                row.flags = trace.isSampled ? 1 : 0
            }
            attributes.append(log.attributes, in: &bytes)
            append(row, scope: scope)
        }
    }
}

extension BatchOrigins {
    /// Begins a sender, unless it is that of the scope before, and a scope of it.
    fileprivate mutating func begin(_ resource: Resource?, _ scope: String = "", in bytes: inout [UInt8]) -> Int {
        if let resource {
            beginResource()
            resourceAttributes.append(resource.attributes, in: &bytes)
            endResource()
        }
        let place = beginScope()
        scopes[place].name = bytes.add(scope)
        return place
    }
}

extension AttributeColumns {
    fileprivate mutating func append(_ attributes: [Attribute], in bytes: inout [UInt8]) {
        for attribute in attributes {
            let name = bytes.add(attribute.name)
            switch attribute.value {
            case .string(let text): append(name, .string, bytes.add(text).bits)
            case .bool(let value): append(name, .bool, value ? 1 : 0)
            case .int(let value): append(name, .int, UInt64(bitPattern: value))
            case .double(let value): append(name, .double, value.bitPattern)
            case .bytes(let value):
                bytes += value
                append(name, .bytes, TextRange(offset: bytes.count - value.count, count: value.count).bits)
            case .array, .map:
                var writer = JSONWriter()
                writer.write(attribute.value)
                let text = writer.bytes
                bytes += text
                append(name, .json, TextRange(offset: bytes.count - text.count, count: text.count).bits)
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ value: AttributeValue) {
        switch value {
        case .string(let text): string(text)
        case .bool(let value): bool(value)
        case .int(let value): integer(value)
        case .double(let value) where value.isFinite: raw(value.description)
        case .double(let value): string(String(value))
        case .bytes(let value): string(AttributeValue.bytes(value).text)
        case .array(let values):
            beginArray()
            for value in values { write(value) }
            endArray()
        case .map(let members):
            beginObject()
            for member in members {
                name(member.name)
                write(member.value)
            }
            endObject()
        }
    }
}

extension [UInt8] {
    fileprivate mutating func add(_ text: String) -> TextRange {
        let start = count
        append(contentsOf: text.utf8)
        return TextRange(offset: start, count: count - start)
    }
}
