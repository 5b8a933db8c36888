// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What a schema of the document says, as lists in lists; and an example that keeps to it.
struct SchemaTree: Sendable {
    let schemas: JSON

    /// Deeper things are shown by their name alone.
    private static let depthMax = 5
    private static let choicesMax = 12

    init(document: JSON) { schemas = document["components"]?["schemas"] ?? .null }

    // MARK: In words

    func html(_ schema: JSON, depth: Int = 0) -> HTML {
        let schema = resolved(schema)
        if let element = schema["items"] {
            let inner = html(element, depth: depth)
            return inner.isEmpty ? "" : "<p class=\"quiet\">each:</p>\(inner)"
        }
        guard let members = schema["properties"]?.members, depth < Self.depthMax else { return "" }
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        let rows = members.map { row($0, isRequired: required.contains($0.name), depth: depth) }
        return "\(ways(schema))<ul class=\"fields\">\(rows)</ul>"
    }

    /// What has to be there together, where there is a choice.
    private func ways(_ schema: JSON) -> HTML {
        let ways = choices(schema).map { way in way.map { "`\($0)`" }.joined(separator: " with ") }
        return ways.isEmpty ? "" : "<p class=\"quiet\">Either \(Prose.html(ways.joined(separator: ", or "))).</p>"
    }

    private func row(_ member: JSON.Member, isRequired: Bool, depth: Int) -> HTML {
        let about = member.value["description"]?.string ?? resolved(member.value)["description"]?.string ?? ""
        let inner = html(member.value, depth: depth + 1)
        let head: HTML = """
            <code>\(member.name)</code> <span class="quiet">\(kind(member.value))\(isRequired ? ", required" : "")</span>
            \(about.isEmpty ? "" : "<span class=\"about\">\(Prose.html(about))</span>")
            """
        guard !inner.isEmpty else { return "<li>\(head)</li>" }
        return "<li><details\(depth == 0 ? " open" as HTML : "")><summary>\(head)</summary>\(inner)</details></li>"
    }

    /// The type with its limits, in a few words.
    func kind(_ schema: JSON) -> String {
        let optional = isNullable(schema) ? " or null" : ""
        let schema = resolved(schema)
        if let choices = schema["enum"]?.array {
            let words = choices.prefix(Self.choicesMax).compactMap(\.string).joined(separator: ", ")
            return (choices.count > Self.choicesMax ? "\(words) and \(choices.count - Self.choicesMax) more" : words)
                + optional
        }
        if let element = schema["items"] { return "list of \(kind(element))" + optional }
        var words = [schema["type"]?.string ?? "any value"]
        if let format = schema["format"]?.string { words.append(format) }
        words += Self.limits.compactMap { name, word in schema[name].map { word + " " + $0.text } }
        if let standard = schema["default"] { words.append("else " + standard.text) }
        return words.joined(separator: ", ") + optional
    }

    private static let limits = [
        ("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"), ("maxItems", "at most"),
    ]

    private func choices(_ schema: JSON) -> [[String]] {
        (schema["oneOf"]?.array ?? []).map { ($0["required"]?.array ?? []).compactMap(\.string) }
    }

    // MARK: As an example

    /// A value that the schema allows: what is required, and of the rest what says something.
    func example(_ schema: JSON, depth: Int = 0) -> JSON {
        let schema = resolved(schema)
        if let example = schema["examples"]?.array?.first { return example }
        if let standard = schema["default"] { return standard }
        if let choice = schema["enum"]?.array?.first { return choice }
        if let element = schema["items"] { return depth > Self.depthMax ? [] : [example(element, depth: depth + 1)] }
        switch schema["type"]?.string {
        case "object": return object(schema, depth: depth)
        case "integer", "number": return schema["minimum"] ?? 1
        case "boolean": return true
        case "string":
            if schema["format"]?.string == "date-time" { return "2026-11-27T12:00:00.000Z" }
            if schema["format"]?.string == "uri" { return "https://example.com" }
            let lengthMin = schema["minLength"]?.integer.map(Int.init) ?? 0
            return .string(lengthMin > 4 ? String(repeating: "text ", count: lengthMin / 5 + 1) : "text")
        default: return .null
        }
    }

    private func object(_ schema: JSON, depth: Int) -> JSON {
        guard depth < Self.depthMax else { return [:] }
        // What has to be made before says less than what can be sent as it is.
        let ways = choices(schema)
        let way = ways.first { way in !way.contains { $0.hasSuffix("_id") } } ?? ways.first ?? []
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string) + way)
        let members = schema["properties"]?.members ?? []
        return .object(
            members.filter { required.isEmpty ? !isNullable($0.value) : required.contains($0.name) }
                .map { .init($0.name, example($0.value, depth: depth + 1)) })
    }

    // MARK: Reading

    /// The schema itself, past references and past `or null`.
    private func resolved(_ schema: JSON) -> JSON {
        if let name = schema["$ref"]?.string?.split(separator: "/").last { return schemas[String(name)] ?? .null }
        guard let first = schema["anyOf"]?.array?.first else { return schema }
        return resolved(first)
    }

    private func isNullable(_ schema: JSON) -> Bool {
        schema["anyOf"]?.array?.contains { $0["type"]?.string == "null" } ?? false
    }
}
