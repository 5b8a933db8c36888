// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry

/// What the decoders of all signals read alike (opentelemetry/proto/common/v1 and resource/v1).
enum CommonDecoder {
    static let resource = Fields(["attributes": 1])
    static let scope = Fields(["name": 1, "version": 2, "attributes": 3])
    private static let keyValue = Fields(["key": 1, "value": 2])
    private static let anyValue = Fields([
        "stringValue": 1, "boolValue": 2, "intValue": 3, "doubleValue": 4, "arrayValue": 5, "kvlistValue": 6,
        "bytesValue": 7,
    ])
    private static let list = Fields(["values": 1])

    /// More attributes of one owner are counted as dropped.
    static let attributesMax = 128

    static func resource<Reader: FieldReader>(
        _ reader: inout Reader, into origins: inout BatchOrigins
    ) throws(WireError) {
        let frame = try reader.enter()
        let start = origins.resourceAttributes.count
        var dropped: UInt32 = 0
        while try reader.next(resource) != nil {
            let count = origins.resourceAttributes.count - start
            try attribute(&reader, into: &origins.resourceAttributes, count: count, &dropped)
        }
        origins.endResource()
        try reader.leave(frame)
    }

    static func scope<Reader: FieldReader>(
        _ reader: inout Reader, at place: Int, into origins: inout BatchOrigins
    ) throws(WireError) {
        let frame = try reader.enter()
        let start = origins.scopeAttributes.count
        var dropped: UInt32 = 0
        while let field = try reader.next(scope) {
            switch field {
            case 1: origins.scopes[place].name = try reader.text()
            case 2: origins.scopes[place].version = try reader.text()
            default:
                try attribute(
                    &reader, into: &origins.scopeAttributes, count: origins.scopeAttributes.count - start, &dropped)
            }
        }
        origins.scopes[place].attributes = start..<origins.scopeAttributes.count
        try reader.leave(frame)
    }

    /// A `KeyValue`. `count` is how many its owner has.
    static func attribute<Reader: FieldReader>(
        _ reader: inout Reader, into columns: inout AttributeColumns, count: Int, _ dropped: inout UInt32
    ) throws(WireError) {
        let frame = try reader.enter()
        var (name, kind, value) = (TextRange.empty, AttributeColumns.Kind.empty, UInt64(0))
        while let field = try reader.next(keyValue) {
            if field == 1 { name = try reader.text() } else { (kind, value) = try Self.value(&reader) }
        }
        try reader.leave(frame)
        if count < attributesMax { columns.append(name, kind, value) } else { dropped += 1 }
    }

    /// An `AnyValue`. Arrays and maps become JSON text.
    static func value<Reader: FieldReader>(
        _ reader: inout Reader
    ) throws(WireError) -> (AttributeColumns.Kind, UInt64) {
        let frame = try reader.enter()
        var result = (AttributeColumns.Kind.empty, UInt64(0))
        while let field = try reader.next(anyValue) {
            switch field {
            case 1: result = (.string, try reader.text().bits)
            case 2: result = (.bool, try reader.bool() ? 1 : 0)
            case 3: result = (.int, try reader.integer())
            case 4: result = (.double, try reader.double().bitPattern)
            case 7: result = (.bytes, try reader.data().bits)
            default:
                var json = JSONWriter()
                if field == 5 { try array(&reader, &json) } else { try map(&reader, &json) }
                result = (.json, try reader.keep(json.bytes).bits)
            }
        }
        try reader.leave(frame)
        return result
    }

    // MARK: As JSON

    private static func array<Reader: FieldReader>(
        _ reader: inout Reader, _ json: inout JSONWriter
    ) throws(WireError) {
        let frame = try reader.enter()
        json.beginArray()
        while try reader.next(list) != nil { try element(&reader, &json) }
        json.endArray()
        try reader.leave(frame)
    }

    private static func map<Reader: FieldReader>(
        _ reader: inout Reader, _ json: inout JSONWriter
    ) throws(WireError) {
        let frame = try reader.enter()
        json.beginObject()
        while try reader.next(list) != nil {
            let pair = try reader.enter()
            // The value may come before its name.
            var (name, value) = ("", "null")
            while let field = try reader.next(keyValue) {
                if field == 1 {
                    name = String(decoding: try reader.characters(), as: UTF8.self)
                } else {
                    var own = JSONWriter(reservingCapacity: 32)
                    try element(&reader, &own)
                    value = String(decoding: own.bytes, as: UTF8.self)
                }
            }
            try reader.leave(pair)
            json.name(name)
            json.raw(value)
        }
        json.endObject()
        try reader.leave(frame)
    }

    private static func element<Reader: FieldReader>(
        _ reader: inout Reader, _ json: inout JSONWriter
    ) throws(WireError) {
        let frame = try reader.enter()
        var isWritten = false
        while let field = try reader.next(anyValue) {
            guard !isWritten else { throw .malformed("A value is given twice", offset: reader.offset) }
            isWritten = true
            switch field {
            case 1: json.string(String(decoding: try reader.characters(), as: UTF8.self))
            case 2: json.bool(try reader.bool())
            case 3: json.integer(Int64(bitPattern: try reader.integer()))
            case 4:
                let number = try reader.double()
                number.isFinite ? json.raw(String(number)) : json.string(String(number))
            case 5: try array(&reader, &json)
            case 6: try map(&reader, &json)
            default:
                let range = try reader.data()
                json.string(Data(reader.bytes(of: range)).base64EncodedString())
            }
        }
        if !isWritten { json.null() }
        try reader.leave(frame)
    }
}
