// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// What a value looks like on the wire, said once: it decodes, encodes, and describes itself in OpenAPI.
package struct Schema<Value>: Sendable {
    /// The description that OpenAPI shows.
    package let form: SchemaForm
    /// Reads a value; records what is wrong and returns `nil` where it cannot.
    package let decode: @Sendable (JSON, inout Decoding) -> Value?
    package let encode: @Sendable (Value, inout JSONWriter, FieldSelection) -> Void

    package init(
        form: SchemaForm, decode: @escaping @Sendable (JSON, inout Decoding) -> Value?,
        encode: @escaping @Sendable (Value, inout JSONWriter, FieldSelection) -> Void
    ) {
        self.form = form
        self.decode = decode
        self.encode = encode
    }
}

/// A type that travels in requests or answers.
package protocol WireBody: Sendable {
    static var schema: Schema<Self> { get }
}

/// A schema without its type, as OpenAPI needs it.
package indirect enum SchemaForm: Sendable {
    case string(StringForm)
    case integer(ClosedRange<Int>)
    case boolean
    case array(SchemaForm, counts: ClosedRange<Int>)
    case map(SchemaForm, names: StringForm, countMax: Int)
    case object(ObjectForm)
    /// `null` is accepted, too.
    case nullable(SchemaForm)
    /// Any JSON object, kept as it is.
    case anyObject
}

package struct StringForm: Sendable {
    package var lengths: ClosedRange<Int> = 0...10_000
    package var format: String?
    package var pattern: String?
    package var values: [String]?
    package var example: String?
}

package struct ObjectForm: Sendable {
    /// The name under `components/schemas`.
    package let name: String
    package let fields: [FieldForm]
    /// Ways to say the same thing, of which a request takes one: the members of each, all of which it then needs. The first
    /// member of any other way must be missing.
    package var ways: [[String]] = []
}

package struct FieldForm: Sendable {
    package let name: String
    package let form: SchemaForm
    package let isRequired: Bool
    /// Whether `null` is accepted, which in a merge patch removes the value (RFC 7396).
    package let isNullable: Bool
    package let standard: JSON?
    package let about: String
}

/// The state of decoding one body: where we are, and what was found wrong so far.
package struct Decoding: Sendable {
    /// RFC 6901, as a fragment: `#/lines/0/quantity`.
    private var path: [String] = []
    package private(set) var errors: [FieldError] = []

    /// More errors than this help nobody, and an attacker's body could have millions.
    private static let errorsMax = 20

    package init() {}

    package mutating func fail(_ code: String, _ detail: String) {
        guard errors.count < Self.errorsMax else { return }
        errors.append(FieldError(path: path, code: code, detail: detail))
    }

    package mutating func at<Result>(_ component: String, _ body: (inout Decoding) -> Result) -> Result {
        path.append(component)
        defer { path.removeLast() }
        return body(&self)
    }
}

/// One thing that is wrong in a request, and where.
package struct FieldError: Hashable, Sendable {
    package let path: [String]
    package let code: String
    package let detail: String

    package init(path: [String], code: String, detail: String) {
        self.path = path
        self.code = code
        self.detail = detail
    }

    /// A JSON Pointer in URI fragment form (RFC 6901 section 6).
    package var pointer: String {
        "#" + path.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
    }
}

/// Which fields of an answer the client wants: all, or a tree of names.
package struct FieldSelection: Hashable, Sendable {
    package static let all = FieldSelection(names: nil)

    private var names: [String: FieldSelection]?

    private init(names: [String: FieldSelection]?) { self.names = names }

    /// Reads `id,title,prices.amount`.
    package init(_ text: String) {
        names = [:]
        for path in text.split(separator: ",") { insert(path.split(separator: ".").map(String.init)[...]) }
    }

    package subscript(name: String) -> FieldSelection? {
        guard let names else { return .all }
        return names[name]
    }

    private mutating func insert(_ path: ArraySlice<String>) {
        guard let first = path.first else { return names = nil }
        guard names != nil else { return }
        var inner = names?[first] ?? FieldSelection(names: [:])
        inner.insert(path.dropFirst())
        names?[first] = inner
    }

    /// Every path that a selection may name in `form`, with points between the names; not inside maps, whose names are data.
    package static func paths(in form: SchemaForm) -> [String] {
        switch form {
        case .array(let element, _), .nullable(let element): paths(in: element)
        case .object(let object):
            object.fields.flatMap { field in [field.name] + paths(in: field.form).map { "\(field.name).\($0)" } }
        case .map, .anyObject, .string, .integer, .boolean: []
        }
    }

    /// The first name that `form` does not have, as the client wrote it.
    package func unknownName(in form: SchemaForm) -> String? {
        guard let names else { return nil }
        switch form {
        case .array(let element, _), .map(let element, _, _), .nullable(let element): return unknownName(in: element)
        case .object(let object):
            for (name, inner) in names.sorted(by: { $0.key < $1.key }) {
                guard let field = object.fields.first(where: { $0.name == name }) else { return name }
                if let unknown = inner.unknownName(in: field.form) { return name + "." + unknown }
            }
            return nil
        case .anyObject: return nil
        case .string, .integer, .boolean: return names.keys.min()
        }
    }
}
