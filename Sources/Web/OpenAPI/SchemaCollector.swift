// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Turns schema forms into JSON Schema, naming each object once under `components/schemas`.
///
/// A request and an answer are described differently. Requests refuse unknown members and take `null` for what may be
/// missing. Answers may have more members than are described, and fewer, because `fields` chooses among them.
struct SchemaCollector {
    enum Direction { case request, answer }

    private(set) var members: [JSON.Member] = []
    private var directions: [String: Direction] = [:]
    var direction = Direction.answer

    mutating func reference(to form: SchemaForm) -> JSON {
        switch form {
        case .string(let string): return Self.schema(string)
        case .integer(let range):
            return [
                "type": "integer", "format": "int64", "minimum": .integer(Int64(range.lowerBound)),
                "maximum": .integer(Int64(range.upperBound)),
            ]
        case .boolean: return ["type": "boolean"]
        case .array(let element, let counts):
            var described: [JSON.Member] = [.init("type", "array"), .init("items", reference(to: element))]
            if counts.lowerBound > 0 { described.append(.init("minItems", .integer(Int64(counts.lowerBound)))) }
            return .object(described + [.init("maxItems", .integer(Int64(counts.upperBound)))])
        case .map(let element, let names, let countMax):
            return [
                "type": "object", "propertyNames": Self.schema(names), "additionalProperties": reference(to: element),
                "maxProperties": .integer(Int64(countMax)),
            ]
        case .anyObject: return ["type": "object"]
        case .nullable(let form): return ["anyOf": [reference(to: form), ["type": "null"]]]
        case .object(let object): return ["$ref": .string("#/components/schemas/\(collect(object))")]
        }
    }

    /// The schema of one member, with its default.
    mutating func schema(_ field: FieldForm) -> JSON {
        var schema = reference(to: field.form).members ?? []
        if field.isNullable, direction == .request { schema = [.init("anyOf", [.object(schema), ["type": "null"]])] }
        if let standard = field.standard { schema.append(.init("default", standard)) }
        if !field.about.isEmpty { schema.append(.init("description", .string(field.about))) }
        return .object(schema)
    }

    /// - Returns: the name that the object has in this direction.
    private mutating func collect(_ object: ObjectForm) -> String {
        let isTaken = directions[object.name].map { $0 != direction } ?? false
        let name = object.name + (isTaken ? direction == .request ? "InRequest" : "InAnswer" : "")
        if let known = members.firstIndex(where: { $0.name == name }) {
            precondition(
                members[known].value == .null || fieldNames(members[known].value) == object.fields.map(\.name),
                "Two schemas share the name \(name).")
            return name
        }
        directions[name] = direction
        // Holds the place, so that an object inside itself ends the recursion.
        let place = members.count
        members.append(.init(name, .null))
        let properties = object.fields.map { field in JSON.Member(field.name, schema(field)) }
        var described: [JSON.Member] = [.init("type", "object")]
        let required: [JSON] = object.fields.filter(\.isRequired).map { field in .string(field.name) }
        if direction == .request, !required.isEmpty { described.append(.init("required", .array(required))) }
        described.append(.init("properties", .object(properties)))
        if direction == .request {
            described.append(.init("additionalProperties", false))
            if !object.ways.isEmpty { described.append(.init("oneOf", .array(Self.ways(of: object)))) }
        }
        members[place] = .init(name, .object(described))
        return name
    }

    /// One way with all its members, and without the first of each other.
    private static func ways(of object: ObjectForm) -> [JSON] {
        object.ways.map { way in
            let present = way.map { JSON.Member($0, ["not": ["type": "null"]]) }
            let absent = object.ways.compactMap(\.first).filter { $0 != way.first }
                .map { JSON.Member($0, ["type": "null"]) }
            return ["required": .array(way.map { .string($0) }), "properties": .object(present + absent)]
        }
    }

    private func fieldNames(_ schema: JSON) -> [String] { (schema["properties"]?.members ?? []).map(\.name) }

    private static func schema(_ form: StringForm) -> JSON {
        var members: [JSON.Member] = [.init("type", "string")]
        if let values = form.values { members.append(.init("enum", .array(values.map { .string($0) }))) }
        if let format = form.format { members.append(.init("format", .string(format))) }
        if let pattern = form.pattern { members.append(.init("pattern", .string(pattern))) }
        if form.values == nil, form.format == nil {
            // Text has no control characters but tabs and line ends.
            if form.pattern == nil {
                members.append(
                    .init("pattern", #"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"#))
            }
            if form.lengths.lowerBound > 0 {
                members.append(.init("minLength", .integer(Int64(form.lengths.lowerBound))))
            }
            members.append(.init("maxLength", .integer(Int64(form.lengths.upperBound))))
        }
        if let example = form.example { members.append(.init("examples", [.string(example)])) }
        return .object(members)
    }
}
