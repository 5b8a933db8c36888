// SPDX-License-Identifier: Apache-2.0

/// A value of a header field that has a structure (RFC 9651 section 3.3).
package enum BareItem: Hashable, Sendable {
    /// From -999,999,999,999,999 to 999,999,999,999,999.
    case integer(Int64)
    /// Thousandths; up to twelve digits stand before the point.
    case decimal(thousandths: Int64)
    /// Printable ASCII.
    case string(String)
    case token(String)
    case bytes([UInt8])
    case boolean(Bool)
    /// Seconds since 1970.
    case date(Int64)
    /// Any text.
    case display(String)
}

/// Parameters and dictionaries: names in their order, each once.
package struct NamedValues<Value: Hashable & Sendable>: Hashable, Sendable {
    package private(set) var members: [(name: String, value: Value)] = []

    package init() {}

    package init(_ members: KeyValuePairs<String, Value>) { for (name, value) in members { self[name] = value } }

    /// The last value of a name counts and stands where the first one stood.
    package subscript(name: String) -> Value? {
        get { members.first { $0.name == name }?.value }
        set {
            let place = members.firstIndex { $0.name == name }
            switch (place, newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil): members.remove(at: place)
            case (nil, let value?): members.append((name, value))
            case (nil, nil): break
            }
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.members.elementsEqual(right.members) { $0.name == $1.name && $0.value == $1.value }
    }

    package func hash(into hasher: inout Hasher) {
        for member in members {
            hasher.combine(member.name)
            hasher.combine(member.value)
        }
    }
}

/// An item with its parameters.
package struct StructuredItem: Hashable, Sendable {
    package var value: BareItem
    package var parameters: NamedValues<BareItem>

    package init(_ value: BareItem, _ parameters: NamedValues<BareItem> = .init()) {
        self.value = value
        self.parameters = parameters
    }
}

/// What lists and dictionaries consist of.
package enum StructuredMember: Hashable, Sendable {
    case item(StructuredItem)
    case innerList([StructuredItem], NamedValues<BareItem>)
}

/// Why a field is not what it should be; such a field is ignored as a whole (RFC 9651 section 4.2).
package struct StructuredFieldError: Error, Equatable {
    package let reason: String
    /// Bytes from the start; `nil` where a value cannot be written.
    package let offset: Int?
}

/// A whole field value. Lines of a field that was sent several times are joined by a comma first.
package enum StructuredField {
    package static func item(_ text: String) throws(StructuredFieldError) -> StructuredItem {
        var parser = StructuredFieldParser(text)
        let item = try parser.item()
        try parser.end()
        return item
    }

    package static func list(_ text: String) throws(StructuredFieldError) -> [StructuredMember] {
        var parser = StructuredFieldParser(text)
        let list = try parser.list()
        try parser.end()
        return list
    }

    package static func dictionary(_ text: String) throws(StructuredFieldError) -> NamedValues<StructuredMember> {
        var parser = StructuredFieldParser(text)
        let dictionary = try parser.dictionary()
        try parser.end()
        return dictionary
    }

    /// - Throws: ``StructuredFieldError`` for what the grammar has no form for, such as a string that is not ASCII.
    package static func text(_ item: StructuredItem) throws(StructuredFieldError) -> String {
        var writer = StructuredFieldWriter()
        try writer.item(item)
        return writer.text
    }

    /// Empty for an empty list; such a field is not sent.
    package static func text(_ list: [StructuredMember]) throws(StructuredFieldError) -> String {
        var writer = StructuredFieldWriter()
        for (place, member) in list.enumerated() {
            if place > 0 { writer.text += ", " }
            try writer.member(member)
        }
        return writer.text
    }

    package static func text(_ dictionary: NamedValues<StructuredMember>) throws(StructuredFieldError) -> String {
        var writer = StructuredFieldWriter()
        for (place, member) in dictionary.members.enumerated() {
            if place > 0 { writer.text += ", " }
            try writer.key(member.name)
            if case .item(let item) = member.value, item.value == .boolean(true) {
                try writer.parameters(item.parameters)
            } else {
                writer.text += "="
                try writer.member(member.value)
            }
        }
        return writer.text
    }
}

/// Classes of characters (RFC 9651 sections 3.1.2 and 3.3, RFC 9110 section 5.6.2).
enum StructuredFieldByte {
    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    static func isLetter(_ byte: UInt8) -> Bool { isLower(byte | 0x20) && byte < 0x80 }
    static func startsKey(_ byte: UInt8) -> Bool { isLower(byte) || byte == UInt8(ascii: "*") }
    static func isInKey(_ byte: UInt8) -> Bool {
        startsKey(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }
    static func startsToken(_ byte: UInt8) -> Bool { isLetter(byte) || byte == UInt8(ascii: "*") }
    static func isInToken(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "!#$%&'*+-.^_`|~:/".utf8.contains(byte)
    }
    static func isPrintable(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) }
}
