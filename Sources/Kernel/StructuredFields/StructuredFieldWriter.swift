// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Writes a field value in its one canonical form (RFC 9651 section 4.1).
struct StructuredFieldWriter {
    var text = ""

    mutating func member(_ member: StructuredMember) throws(StructuredFieldError) {
        switch member {
        case .item(let item): try self.item(item)
        case .innerList(let items, let parameters):
            text += "("
            for (place, item) in items.enumerated() {
                if place > 0 { text += " " }
                try self.item(item)
            }
            text += ")"
            try self.parameters(parameters)
        }
    }

    mutating func item(_ item: StructuredItem) throws(StructuredFieldError) {
        try value(item.value)
        try parameters(item.parameters)
    }

    mutating func parameters(_ parameters: NamedValues<BareItem>) throws(StructuredFieldError) {
        for parameter in parameters.members {
            text += ";"
            try key(parameter.name)
            guard parameter.value != .boolean(true) else { continue }
            text += "="
            try value(parameter.value)
        }
    }

    mutating func key(_ name: String) throws(StructuredFieldError) {
        guard let first = name.utf8.first, StructuredFieldByte.startsKey(first),
            name.utf8.allSatisfy(StructuredFieldByte.isInKey)
        else { throw failure("A name is lower case letters, digits, _, -, . and *") }
        text += name
    }

    private mutating func value(_ value: BareItem) throws(StructuredFieldError) {
        switch value {
        case .integer(let number): text += try whole(number)
        case .decimal(let thousandths): try decimal(thousandths)
        case .string(let string): try self.string(string)
        case .token(let token):
            guard let first = token.utf8.first, StructuredFieldByte.startsToken(first),
                token.utf8.allSatisfy(StructuredFieldByte.isInToken)
            else { throw failure("This is no token") }
            text += token
        case .bytes(let bytes): text += ":\(Data(bytes).base64EncodedString()):"
        case .boolean(let isTrue): text += isTrue ? "?1" : "?0"
        case .date(let seconds): text += "@" + (try whole(seconds))
        case .display(let string): display(string)
        }
    }

    private static let digitsMax: Int64 = 999_999_999_999_999

    private func whole(_ number: Int64) throws(StructuredFieldError) -> String {
        guard (-Self.digitsMax...Self.digitsMax).contains(number) else {
            throw failure("A number has up to fifteen digits")
        }
        return String(number)
    }

    private mutating func decimal(_ thousandths: Int64) throws(StructuredFieldError) {
        guard (-Self.digitsMax...Self.digitsMax).contains(thousandths) else {
            throw failure("A decimal has up to twelve digits before the point")
        }
        let (units, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1_000)
        var fraction = String(1_000 + rest).dropFirst()
        while fraction.count > 1, fraction.hasSuffix("0") { fraction.removeLast() }
        text += (thousandths < 0 ? "-" : "") + "\(units).\(fraction)"
    }

    private mutating func string(_ string: String) throws(StructuredFieldError) {
        guard string.utf8.allSatisfy(StructuredFieldByte.isPrintable) else {
            throw failure("A string is printable ASCII; a display string takes any text")
        }
        text += "\""
        for scalar in string.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        text += "\""
    }

    private mutating func display(_ string: String) {
        text += "%\""
        for byte in string.utf8 {
            if StructuredFieldByte.isPrintable(byte), byte != UInt8(ascii: "%"), byte != UInt8(ascii: "\"") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        text += "\""
    }

    private func failure(_ reason: String) -> StructuredFieldError { .init(reason: reason, offset: nil) }
}
