// SPDX-License-Identifier: Apache-2.0

package import Kernel

extension Schema where Value == String {
    /// Text of `lengths` characters (Unicode code points, as JSON Schema counts them), without control characters other than line ends and tabs.
    package static func string(
        _ lengths: ClosedRange<Int> = 0...10_000, format: String? = nil, example: String? = nil
    ) -> Schema {
        Schema(
            form: .string(StringForm(lengths: lengths, format: format, example: example)),
            decode: { json, decoding in
                guard let text = text(json, &decoding) else { return nil }
                // Every character is at least one byte, so the cheap count decides for most.
                let count =
                    text.utf8.count <= lengths.upperBound && lengths.lowerBound <= 1 && !text.isEmpty
                    ? lengths.upperBound : text.unicodeScalars.count
                if count < lengths.lowerBound {
                    decoding.fail("too_short", "At least \(lengths.lowerBound) characters are needed.")
                    return nil
                }
                if count > lengths.upperBound {
                    decoding.fail("too_long", "At most \(lengths.upperBound) characters are allowed.")
                    return nil
                }
                return text
            },
            encode: { value, writer, _ in writer.string(value) })
    }

    /// Text that matches a regular expression, tested by `matches`; OpenAPI shows `pattern`.
    package static func string(
        pattern: String, example: String, lengths: ClosedRange<Int>, matches: @escaping @Sendable (String) -> Bool
    ) -> Schema {
        let plain = Schema.string(lengths)
        return Schema(
            form: .string(StringForm(lengths: lengths, pattern: pattern, example: example)),
            decode: { json, decoding in
                guard let text = plain.decode(json, &decoding) else { return nil }
                guard matches(text) else {
                    decoding.fail("format", "Expected the form \(pattern), for example \(example).")
                    return nil
                }
                return text
            },
            encode: { value, writer, _ in writer.string(value) })
    }

    /// A word for use in addresses: lower-case letters, digits and hyphens.
    package static let handle = string(
        pattern: "^[a-z0-9]+(-[a-z0-9]+)*$", example: "linen-shirt", lengths: 1...120
    ) { text in
        !text.hasPrefix("-") && !text.hasSuffix("-") && !text.contains("--")
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
    }

    /// A language by its tag (BCP 47), such as `en` or `pt-BR`.
    package static let language = string(
        pattern: "^[a-z]{2,3}(-[A-Z]{2})?$", example: "en", lengths: 2...6
    ) { text in
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard let first = parts.first, (2...3).contains(first.utf8.count), parts.count <= 2 else { return false }
        return first.utf8.allSatisfy { (97...122).contains($0) }
            && (parts.count == 1 || (parts[1].utf8.count == 2 && parts[1].utf8.allSatisfy { (65...90).contains($0) }))
    }

    /// A country by two letters (ISO 3166-1 alpha-2).
    package static let country = string(pattern: "^[A-Z]{2}$", example: "GB", lengths: 2...2) { text in
        text.utf8.allSatisfy { (65...90).contains($0) }
    }

    /// A mail address: something, an at sign, a domain. Whether it can be delivered to only a mail tells.
    package static let email = string(
        pattern:
            #"^[^@\s\u0000-\u001f\u007f-\u009f\ufeff]+@[^@\s.\u0000-\u001f\u007f-\u009f\ufeff]+(\.[^@\s.\u0000-\u001f\u007f-\u009f\ufeff]+)+$"#,
        example: "ada@example.com", lengths: 3...254
    ) { text in
        // By code points: to the pattern, an @ with an accent is an @.
        let scalars = text.unicodeScalars
        let parts = scalars.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return false }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2 && !labels.contains { $0.isEmpty }
            && !scalars.contains { $0.properties.isWhitespace || isControl($0) || $0.value == 0xFEFF }
    }
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }

private func text(_ json: JSON, _ decoding: inout Decoding) -> String? {
    guard case .string(let text) = json else {
        decoding.fail("type", "Expected a string, found \(json.kind).")
        return nil
    }
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    guard isPlain else {
        decoding.fail("control_character", "Control characters are not allowed in text.")
        return nil
    }
    return text
}

extension Schema where Value == Int {
    /// A number of things. JavaScript, too, holds integers up to this size exactly.
    package static let count = integer(0...9_007_199_254_740_991)

    package static func integer(_ range: ClosedRange<Int>) -> Schema {
        Schema(
            form: .integer(range),
            decode: { json, decoding in
                let value: Int?
                switch json {
                case .integer(let number): value = Int(number)
                // 2.0 is an integer to JSON Schema.
                case .decimal(let text): value = wholeNumber(text)
                default:
                    decoding.fail("type", "Expected an integer, found \(json.kind).")
                    return nil
                }
                guard let value, range.contains(value) else {
                    decoding.fail("range", "Expected an integer from \(range.lowerBound) to \(range.upperBound).")
                    return nil
                }
                return value
            },
            encode: { value, writer, _ in writer.integer(Int64(value)) })
    }
}

/// Reads `2` and `2.0`; `nil` for everything else, such as `1e3`, which nobody means as a quantity.
private func wholeNumber(_ text: String) -> Int? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 1 || (!parts[1].isEmpty && parts[1].allSatisfy { $0 == "0" }) else { return nil }
    return parts.first.flatMap { Int($0) }
}

extension Schema where Value == Bool {
    package static let boolean = Schema(
        form: .boolean,
        decode: { json, decoding in
            guard case .bool(let value) = json else {
                decoding.fail("type", "Expected true or false, found \(json.kind).")
                return nil
            }
            return value
        },
        encode: { value, writer, _ in writer.bool(value) })
}

extension Schema where Value == String {
    /// One of these words, where they are no enumeration of ours.
    package static func oneOf(_ words: [String]) -> Schema {
        Schema(
            form: .string(StringForm(values: words)),
            decode: { json, decoding in
                guard let text = text(json, &decoding) else { return nil }
                guard words.contains(text) else {
                    decoding.fail("unknown_value", "Expected one of \(words.joined(separator: ", ")).")
                    return nil
                }
                return text
            },
            encode: { value, writer, _ in writer.string(value) })
    }
}

extension Schema where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    /// One of the words of an enumeration.
    package static var word: Schema {
        let words = Value.allCases.map(\.rawValue)
        return Schema(
            form: .string(StringForm(values: words)),
            decode: { json, decoding in
                guard let text = text(json, &decoding) else { return nil }
                guard let value = Value(rawValue: text) else {
                    decoding.fail("unknown_value", "Expected one of \(words.joined(separator: ", ")).")
                    return nil
                }
                return value
            },
            encode: { value, writer, _ in writer.string(value.rawValue) })
    }
}

extension Schema {
    package static func id<Kind: EntityKind>() -> Schema where Value == Identifier<Kind> {
        let pattern = "^\(Kind.prefix)_[0-9a-hjkmnp-tv-z]{26}$"
        return Schema(
            form: .string(
                StringForm(
                    lengths: 0...40, pattern: pattern, example: "\(Kind.prefix)_01k9x3c5v8q2e6m4n7p0r1s2t3")),
            decode: { json, decoding in
                guard let text = text(json, &decoding) else { return nil }
                guard let id = Identifier<Kind>(text) else {
                    decoding.fail("format", "Expected an identifier of the form \(Kind.prefix)_… with 26 digits.")
                    return nil
                }
                return id
            },
            encode: { value, writer, _ in writer.string(value.rawValue) })
    }

    package static func array<Element>(
        of element: Schema<Element>, countMin: Int = 0, countMax: Int = 1_000
    ) -> Schema where Value == [Element] {
        Schema(
            form: .array(element.form, counts: countMin...countMax),
            decode: { json, decoding in
                guard case .array(let values) = json else {
                    decoding.fail("type", "Expected an array, found \(json.kind).")
                    return nil
                }
                guard values.count <= countMax else {
                    decoding.fail("too_many", "At most \(countMax) elements are allowed, found \(values.count).")
                    return nil
                }
                guard values.count >= countMin else {
                    decoding.fail("too_few", "At least \(countMin) element is needed.")
                    return nil
                }
                var elements: [Element] = []
                elements.reserveCapacity(values.count)
                for (index, value) in values.enumerated() {
                    guard let read = decoding.at(String(index), { element.decode(value, &$0) }) else { continue }
                    elements.append(read)
                }
                return elements.count == values.count ? elements : nil
            },
            encode: { value, writer, selection in
                writer.beginArray()
                for one in value { element.encode(one, &writer, selection) }
                writer.endArray()
            })
    }

    /// An object whose names are data, such as languages; at most `countMax` of them.
    package static func map<Element>(
        of element: Schema<Element>, names: Schema<String>, countMax: Int = 100
    ) -> Schema where Value == [String: Element] {
        guard case .string(let nameForm) = names.form else { preconditionFailure("Names are strings.") }
        return Schema(
            form: .map(element.form, names: nameForm, countMax: countMax),
            decode: { json, decoding in
                guard case .object(let members) = json else {
                    decoding.fail("type", "Expected an object, found \(json.kind).")
                    return nil
                }
                guard members.count <= countMax else {
                    decoding.fail("too_many", "At most \(countMax) members are allowed, found \(members.count).")
                    return nil
                }
                var values: [String: Element] = [:]
                for member in members {
                    let read = decoding.at(member.name) { decoding in
                        names.decode(.string(member.name), &decoding) == nil
                            ? nil : element.decode(member.value, &decoding)
                    }
                    if let read { values[member.name] = read }
                }
                return values.count == members.count ? values : nil
            },
            encode: { value, writer, selection in
                writer.beginObject()
                for (name, one) in value.sorted(by: { $0.key < $1.key }) {
                    writer.name(name)
                    element.encode(one, &writer, selection)
                }
                writer.endObject()
            })
    }
}

extension Schema where Value == Timestamp {
    package static let timestamp = Schema(
        form: .string(StringForm(lengths: 0...40, format: "date-time", example: "2026-11-22T10:00:00.000Z")),
        decode: { json, decoding in
            guard let text = text(json, &decoding) else { return nil }
            guard let time = Timestamp(rfc3339: text) else {
                decoding.fail("format", "Expected a time of RFC 3339, for example 2026-11-22T10:00:00Z.")
                return nil
            }
            return time
        },
        encode: { value, writer, _ in writer.string(value.rfc3339) })
}

extension Schema where Value == Currency {
    package static let currency = Schema(
        form: .string(StringForm(values: Currency.codes, example: "GBP")),
        decode: { json, decoding in
            guard let text = text(json, &decoding) else { return nil }
            guard let currency = Currency(text) else {
                decoding.fail("unknown_value", "Expected a currency of ISO 4217 in capitals, for example GBP.")
                return nil
            }
            return currency
        },
        encode: { value, writer, _ in writer.string(value.code) })
}

extension Schema where Value == JSON {
    /// Any object of the client's own, kept as it is and given back; at most 8 KiB.
    package static let metadata = Schema(
        form: .anyObject,
        decode: { json, decoding in
            guard case .object = json else {
                decoding.fail("type", "Expected an object, found \(json.kind).")
                return nil
            }
            guard json.text.utf8.count <= 8_192 else {
                decoding.fail("too_long", "At most 8192 bytes are kept.")
                return nil
            }
            return json
        },
        encode: { value, writer, _ in writer.value(value) })
}

extension Schema {
    /// A value that a merge patch may also remove with `null`.
    package static func nullable<Wrapped>(_ schema: Schema<Wrapped>) -> Schema where Value == Patch<Wrapped> {
        Schema(
            form: .nullable(schema.form),
            decode: { json, decoding in
                json == .null ? .remove : schema.decode(json, &decoding).map { .set($0) }
            },
            encode: { value, writer, selection in
                if case .set(let value) = value { schema.encode(value, &writer, selection) } else { writer.null() }
            })
    }
}
