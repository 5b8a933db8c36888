// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// One member of an object: its name, how it is read from the Swift value, and what may be missing.
package struct Field<Root, Value>: Sendable {
    let form: FieldForm
    let decode: @Sendable (JSON?, inout Decoding) -> Value?
    /// Takes the value out of the object and writes it. One closure over the object, so that writing needs no type
    /// metadata of its fields; looking that up was a third of the time of a list.
    let write: @Sendable (Root, inout JSONWriter, FieldSelection) -> Void

    /// A member that is always there.
    package static func required(
        _ name: String, _ get: @escaping @Sendable (Root) -> Value, _ schema: Schema<Value>, _ about: String = ""
    ) -> Field {
        Field(
            form: FieldForm(
                name: name, form: schema.form, isRequired: true, isNullable: false, standard: nil, about: about),
            decode: { json, decoding in
                guard let json else {
                    decoding.fail("required", "This field is required.")
                    return nil
                }
                return schema.decode(json, &decoding)
            },
            write: { root, writer, selection in
                writer.name(name)
                schema.encode(get(root), &writer, selection)
            })
    }

    /// A member that may be missing in requests, and then counts as `standard`.
    package static func standard(
        _ name: String, _ get: @escaping @Sendable (Root) -> Value, _ schema: Schema<Value>, _ standard: Value,
        _ about: String = ""
    ) -> Field where Value: Sendable {
        var writer = JSONWriter()
        schema.encode(standard, &writer, .all)
        let shown = try? JSON.parse(writer.bytes)
        return Field(
            form: FieldForm(
                name: name, form: schema.form, isRequired: false, isNullable: false, standard: shown, about: about),
            decode: { json, decoding in
                guard let json else { return standard }
                return schema.decode(json, &decoding)
            },
            write: { root, writer, selection in
                writer.name(name)
                schema.encode(get(root), &writer, selection)
            })
    }

    /// A member that may be missing; `null` means the same as missing, and answers leave it out.
    package static func optional<Wrapped>(
        _ name: String, _ get: @escaping @Sendable (Root) -> Value, _ schema: Schema<Wrapped>, _ about: String = ""
    ) -> Field where Value == Wrapped? {
        Field(
            form: FieldForm(
                name: name, form: schema.form, isRequired: false, isNullable: true, standard: nil, about: about),
            decode: { json, decoding in
                guard let json, json != .null else { return .some(nil) }
                guard let value = schema.decode(json, &decoding) else { return nil }
                return .some(value)
            },
            write: { root, writer, selection in
                guard let value = get(root) else { return }
                writer.name(name)
                schema.encode(value, &writer, selection)
            })
    }

    /// A member of a merge patch (RFC 7396): missing keeps the value, `null` removes it.
    package static func patch<Wrapped>(
        _ name: String, _ get: @escaping @Sendable (Root) -> Value, _ schema: Schema<Wrapped>, removable: Bool = false,
        _ about: String = ""
    ) -> Field where Value == Patch<Wrapped> {
        Field(
            form: FieldForm(
                name: name, form: schema.form, isRequired: false, isNullable: removable, standard: nil, about: about),
            decode: { json, decoding in
                guard let json else { return .keep }
                if json == .null {
                    if removable { return .remove }
                    decoding.fail("not_removable", "This field cannot be removed; send a value or leave it out.")
                    return nil
                }
                return schema.decode(json, &decoding).map { .set($0) }
            },
            write: { root, writer, selection in
                switch get(root) {
                case .keep: return
                case .remove:
                    writer.name(name)
                    writer.null()
                case .set(let value):
                    writer.name(name)
                    schema.encode(value, &writer, selection)
                }
            })
    }
}

/// What a merge patch says about one field.
package enum Patch<Value> {
    case keep
    case remove
    case set(Value)
}

extension Patch: Sendable where Value: Sendable {}

extension Patch {
    package var isChange: Bool {
        if case .keep = self { false } else { true }
    }

    /// The field after the patch, for a field that may be absent.
    package func applied(to current: Value?) -> Value? {
        switch self {
        case .keep: current
        case .remove: nil
        case .set(let value): value
        }
    }

    /// The field after the patch, for a field that is always there (its schema refuses `null`).
    package func applied(to current: Value) -> Value {
        if case .set(let value) = self { value } else { current }
    }
}

extension Schema {
    /// An object: `make` puts the decoded fields together, in the order in which `fields` lists them.
    ///
    /// Unknown members are refused by name, because a misspelt optional field would otherwise do nothing in silence.
    package static func object<each Member>(
        _ name: String, _ make: @escaping @Sendable (repeat each Member) -> Value,
        _ fields: repeat Field<Value, each Member>
    ) -> Schema {
        var forms: [FieldForm] = []
        var gathered: [(name: String, write: @Sendable (Value, inout JSONWriter, FieldSelection) -> Void)] = []
        var layout = MemberLayout()
        for field in repeat each fields {
            forms.append(field.form)
            gathered.append((field.form.name, field.write))
            layout.add(field)
        }
        let (writers, members) = (gathered, layout)
        let names = forms.map(\.name)
        precondition(Set(names).count == names.count, "Two fields of \(name) share a name.")
        return Schema(
            form: .object(ObjectForm(name: name, fields: forms)),
            decode: { json, decoding in
                guard case .object(let given) = json else {
                    decoding.fail("type", "Expected an object, found \(json.kind).")
                    return nil
                }
                let errorsBefore = decoding.errors.count
                for member in given where !names.contains(member.name) {
                    decoding.at(member.name) {
                        $0.fail("unknown_field", "There is no such field. Known: \(names.joined(separator: ", ")).")
                    }
                }
                return members.read(given, &decoding, errorsBefore) { make(repeat $0.next((each Member).self)) }
            },
            encode: { value, writer, selection in
                writer.beginObject()
                for (name, write) in writers {
                    guard let inner = selection[name] else { continue }
                    write(value, &writer, inner)
                }
                writer.endObject()
            })
    }
}

extension Schema {
    /// An object that says one thing in one of several ways; see ``ObjectForm/ways``.
    package func oneWay(of ways: [String]...) -> Schema {
        guard case .object(var object) = form else { preconditionFailure("Only objects have members.") }
        object.ways = ways
        let heads = ways.compactMap(\.first)
        return Schema(
            form: .object(object),
            decode: { json, decoding in
                let chosen = ways.filter { way in way.allSatisfy { (json[$0] ?? .null) != .null } }
                let named = heads.filter { (json[$0] ?? .null) != .null }
                guard json.members == nil || (chosen.count == 1 && named.count == 1) else {
                    let list = ways.map { $0.joined(separator: " with ") }.joined(separator: ", or ")
                    decoding.fail("one_of", "Send either \(list).")
                    return nil
                }
                return decode(json, &decoding)
            },
            encode: encode)
    }
}

/// Where the members of an object lie in memory while it is read.
///
/// They are read through closures over raw memory, because in code that does not know their types each optional value of a
/// member costs a look-up of its type; that was a twentieth of the time of an order.
private struct MemberLayout: Sendable {
    fileprivate struct Member: Sendable {
        let name: String
        let place: Int
        /// Initializes the memory where it returns `true`.
        let read: @Sendable (JSON?, inout Decoding, UnsafeMutableRawPointer) -> Bool
        let destroy: @Sendable (UnsafeMutableRawPointer) -> Void
    }

    private var members: [Member] = []
    private var size = 0
    private static let alignment = 16

    mutating func add<Root, Value>(_ field: Field<Root, Value>) {
        precondition(MemoryLayout<Value>.alignment <= Self.alignment, "No member is aligned more widely than 16 bytes.")
        let decode = field.decode
        members.append(
            Member(
                name: field.form.name, place: size,
                read: { json, decoding, memory in
                    guard let value = decode(json, &decoding) else { return false }
                    memory.initializeMemory(as: Value.self, to: value)
                    return true
                },
                destroy: { $0.assumingMemoryBound(to: Value.self).deinitialize(count: 1) }))
        size = (size + MemoryLayout<Value>.size + Self.alignment - 1) / Self.alignment * Self.alignment
    }

    /// Gives `make` the values of all members, which it takes all of; not where one of them, or anything before, is wrong.
    func read<Object>(
        _ given: [JSON.Member], _ decoding: inout Decoding, _ errorsBefore: Int, _ make: (inout Values) -> Object
    ) -> Object? {
        withUnsafeTemporaryAllocation(byteCount: max(size, 1), alignment: Self.alignment) { memory in
            guard let start = memory.baseAddress else { return nil }
            var wrong: [Int] = []
            for (index, member) in members.enumerated() {
                let json = given.first { $0.name == member.name }?.value
                let isRead = decoding.at(member.name) { member.read(json, &$0, start + member.place) }
                if !isRead { wrong.append(index) }
            }
            guard wrong.isEmpty, decoding.errors.count == errorsBefore else {
                for (index, member) in members.enumerated() where !wrong.contains(index) {
                    member.destroy(start + member.place)
                }
                return nil
            }
            var values = Values(start: start, members: members[...])
            return make(&values)
        }
    }

    /// Values that are taken in the order of the members.
    struct Values {
        fileprivate let start: UnsafeMutableRawPointer
        fileprivate var members: ArraySlice<Member>

        mutating func next<Value>(_ type: Value.Type) -> Value {
            guard let member = members.popFirst() else { preconditionFailure("There are as many values as members.") }
            return (start + member.place).assumingMemoryBound(to: type).move()
        }
    }
}
