// SPDX-License-Identifier: Apache-2.0

/// Percent-encoding of query strings (RFC 3986 section 2.1, with `+` for a space as forms send it).
package enum PercentEncoding {
    package static func encode(_ text: String) -> String {
        var bytes: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// - Returns: `nil` for a percent sign without two digits, and for bytes that are not UTF-8 or zero.
    package static func decode(_ text: some StringProtocol) -> String? { decode(bytes: text.utf8) }

    /// The same for text that is still bytes.
    package static func decode(bytes text: some Collection<UInt8>) -> String? {
        // Most of what is sent, a token above all, is written as it is.
        if text.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "%") && $0 != 0 }) {
            return String(validating: text, as: UTF8.self)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    // Colons and commas are common in our parameters and safe in a query.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, 45, 46, 95, 126, 44, 58: true
        default: false
        }
    }
}
