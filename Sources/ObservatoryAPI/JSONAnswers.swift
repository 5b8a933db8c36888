// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Answers of all dialects are nested as their code is: what is opened is closed.
extension JSONWriter {
    /// The bytes of an object.
    static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes
    }

    mutating func object(_ members: (inout JSONWriter) -> Void) {
        beginObject()
        members(&self)
        endObject()
    }

    mutating func array<Item>(_ items: some Sequence<Item>, _ write: (Item, inout JSONWriter) -> Void) {
        beginArray()
        for item in items { write(item, &self) }
        endArray()
    }

    mutating func member(_ name: StaticString, _ value: (inout JSONWriter) -> Void) {
        self.name(plain: name)
        value(&self)
    }

    mutating func member(_ name: StaticString, _ text: String) { member(name) { $0.string(text) } }

    mutating func member(_ name: StaticString, _ number: Int) { member(name) { $0.integer(Int64(number)) } }

    mutating func member<Item>(
        _ name: StaticString, _ items: some Sequence<Item>, _ write: (Item, inout JSONWriter) -> Void
    ) {
        member(name) { $0.array(items, write) }
    }
}
