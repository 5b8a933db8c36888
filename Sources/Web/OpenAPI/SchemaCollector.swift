// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Turns schema forms into JSON Schema, naming each object once under `components/schemas`.
struct SchemaCollector {
    private(set) var members: [JSON.Member] = []

    mutating func reference(to form: SchemaForm) -> JSON {
        switch form {
        case .string(let string): return Self.schema(string)
        case .integer(let range):
            return [
                "type": "integer", "format": "int64", "minimum": .integer(Int64(range.lowerBound)),
                "maximum": .integer(Int64(range.upperBound)),
            ]
        case .boolean: return ["type": "boolean"]
        case .array(let element, let countMax):
            return ["type": "array", "items": reference(to: element), "maxItems": .integer(Int64(countMax))]
        case .map(let element): return ["type": "object", "additionalProperties": reference(to: element)]
        case .anyObject: return ["type": "object"]
        case .object(let object):
            collect(object)
            return ["$ref": .string("#/components/schemas/\(object.name)")]
        }
    }

    /// The schema of one member, with its default.
    mutating func schema(_ field: FieldForm) -> JSON {
        var schema = reference(to: field.form).members ?? []
        if field.isNullable { schema = [.init("oneOf", [.object(schema), ["type": "null"]])] }
        if let standard = field.standard { schema.append(.init("default", standard)) }
        if !field.about.isEmpty { schema.append(.init("description", .string(field.about))) }
        return .object(schema)
    }

    private mutating func collect(_ object: ObjectForm) {
        if let known = members.firstIndex(where: { $0.name == object.name }) {
            precondition(
                members[known].value == .null || fieldNames(members[known].value) == object.fields.map(\.name),
                "Two schemas share the name \(object.name).")
            return
        }
        // Holds the place, so that an object inside itself ends the recursion.
        let place = members.count
        members.append(.init(object.name, .null))
        let properties = object.fields.map { field in JSON.Member(field.name, schema(field)) }
        var described: [JSON.Member] = [.init("type", "object")]
        let required: [JSON] = object.fields.filter(\.isRequired).map { field in .string(field.name) }
        if !required.isEmpty { described.append(.init("required", .array(required))) }
        described.append(.init("properties", .object(properties)))
        members[place] = .init(object.name, .object(described))
    }

    private func fieldNames(_ schema: JSON) -> [String] { (schema["properties"]?.members ?? []).map(\.name) }

    private static func schema(_ form: StringForm) -> JSON {
        var members: [JSON.Member] = [.init("type", "string")]
        if let values = form.values { members.append(.init("enum", .array(values.map { .string($0) }))) }
        if let format = form.format { members.append(.init("format", .string(format))) }
        if let pattern = form.pattern { members.append(.init("pattern", .string(pattern))) }
        if form.values == nil, form.pattern == nil, form.format == nil {
            if form.lengths.lowerBound > 0 {
                members.append(.init("minLength", .integer(Int64(form.lengths.lowerBound))))
            }
            members.append(.init("maxLength", .integer(Int64(form.lengths.upperBound))))
        }
        if let example = form.example { members.append(.init("examples", [.string(example)])) }
        return .object(members)
    }
}
