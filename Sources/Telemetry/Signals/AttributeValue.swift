// SPDX-License-Identifier: Apache-2.0

/// The value of an attribute of a span, a log record or a resource (OpenTelemetry, AnyValue).
public enum AttributeValue: Hashable, Sendable {
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes([UInt8])
    case array([AttributeValue])
    case map([Attribute])

    /// As it reads in text.
    public var text: String {
        switch self {
        case .string(let value): value
        case .bool(let value): String(value)
        case .int(let value): String(value)
        case .double(let value): String(value)
        case .bytes(let value): value.map { String($0, radix: 16) }.joined()
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .map(let members): "{" + members.map { "\($0.name):\($0.value.text)" }.joined(separator: ",") + "}"
        }
    }
}

/// A named value.
public struct Attribute: Hashable, Sendable {
    public let name: String
    public let value: AttributeValue

    public init(_ name: String, _ value: AttributeValue) {
        self.name = name
        self.value = value
    }
}

/// Who sends signals: `service.name` and what else is known of the process (OpenTelemetry resource conventions).
public struct Resource: Hashable, Sendable {
    public var attributes: [Attribute]

    public init(_ attributes: [Attribute]) { self.attributes = attributes }

    public subscript(name: String) -> AttributeValue? { attributes.first { $0.name == name }?.value }
}
