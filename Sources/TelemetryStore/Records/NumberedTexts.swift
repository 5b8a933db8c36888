// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Texts of a column that are alike but for the numbers in them, such as `customer-4711` and `10.0.3.7`: the numbers stand apart,
/// in as many bytes as the largest takes, where as digits each takes half as much again however it is compressed.
///
/// What is read is a text column like any other, so that nobody but this file knows.
enum NumberedTexts {
    /// Stands for a number in a form; texts that have it themselves are left as they are.
    private static let mark: UInt8 = 0
    /// So many texts share a form at least, on average.
    private static let sharersMin = 8
    /// Digits of a number: all such fit into 64 bits.
    private static let digitsMax = 18
    private static let textsMax = 1 << 24
    private static let bytesMax = 1 << 28

    /// A section that does not begin as a text column can: with no texts, and then something else than no values.
    private static let beginning: [UInt8] = [0, 1]

    // MARK: Apart

    /// The section of a text column with its numbers apart; `nil` where its texts have too little in common.
    static func apart(_ column: ValueColumnWriter) -> [UInt8]? {
        let texts = column.texts
        guard texts.count >= 2 * sharersMin, texts.count <= textsMax, texts.bytes.count <= bytesMax else { return nil }
        var forms = TextTable(slots: 64)
        /// Of each text its form, and of each form the numbers at each of its places.
        var (numbers, values) = ([UInt64](), [[[UInt64]]]())
        numbers.reserveCapacity(texts.count)
        var (form, found) = ([UInt8](), [UInt64]())
        for text in 0..<texts.count {
            guard take(texts.key(text), apartInto: &form, &found) else { return nil }
            let number = Int(forms.number(of: form))
            guard forms.count * sharersMin <= texts.count else { return nil }
            if number == values.count { values.append(Array(repeating: [], count: found.count)) }
            for (place, value) in found.enumerated() { values[number][place].append(value) }
            numbers.append(UInt64(number))
        }
        var writer = ByteWriter()
        writer.raw(beginning)
        writer.count(texts.count)
        writer.texts(forms)
        writer.planes(numbers)
        for form in values { for place in form { writer.planes(place) } }
        column.writeValues(to: &writer)
        return writer.bytes
    }

    /// - Returns: Whether it can be put together again.
    private static func take(_ text: ArraySlice<UInt8>, apartInto form: inout [UInt8], _ found: inout [UInt64]) -> Bool
    {
        form.removeAll(keepingCapacity: true)
        found.removeAll(keepingCapacity: true)
        var place = text.startIndex
        while place < text.endIndex {
            let byte = text[place]
            guard byte != mark else { return false }
            guard isDigit(byte) else {
                form.append(byte)
                place += 1
                continue
            }
            let end = text[place...].firstIndex { !isDigit($0) } ?? text.endIndex
            let digits = text[place..<end]
            // A leading zero would be lost.
            if digits.count > digitsMax || byte == UInt8(ascii: "0") && digits.count > 1 {
                form += digits
            } else {
                form.append(mark)
                found.append(digits.reduce(0) { $0 * 10 + UInt64($1 - UInt8(ascii: "0")) })
            }
            place = end
        }
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    // MARK: Together

    /// The section as it would be with its numbers in place; itself where they are.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func together(_ section: [UInt8]) throws -> [UInt8] {
        guard section.starts(with: beginning) else { return section }
        return try section.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer, at: beginning.count)
            let count = reader.count(max: textsMax)
            let forms = reader.texts()
            let numbers = reader.planes(count)
            guard !reader.isDamaged, numbers.allSatisfy({ $0 < UInt64(forms.count) }) else { throw damaged }
            var sharers = Array(repeating: 0, count: forms.count)
            for number in numbers { sharers[Int(number)] += 1 }
            let marks = forms.map { form in buffer[form].count { $0 == mark } }
            // Each number has a digit at least.
            guard zip(marks, sharers).reduce(0, { $0 + $1.0 * $1.1 }) <= bytesMax else { throw damaged }
            let values = zip(marks, sharers).map { marks, sharers in (0..<marks).map { _ in reader.planes(sharers) } }
            guard !reader.isDamaged else { throw damaged }
            var texts = JoinedTexts(capacity: count)
            var next = Array(repeating: 0, count: forms.count)
            for number in numbers {
                let form = Int(number)
                try texts.add(UnsafeBufferPointer(rebasing: buffer[forms[form]]), values[form], next[form])
                next[form] += 1
            }
            return texts.section(before: buffer[reader.place...])
        }
    }

    private static var damaged: Failure { Failure(.corrupt, "a column of texts with numbers ends too early") }

    /// Texts that are put together.
    private struct JoinedTexts {
        private var bytes: [UInt8] = []
        private var lengths: [Int] = []

        init(capacity: Int) {
            lengths.reserveCapacity(capacity)
        }

        mutating func add(_ form: UnsafeBufferPointer<UInt8>, _ values: [[UInt64]], _ number: Int) throws {
            let start = bytes.count
            var place = 0
            for byte in form {
                if byte == NumberedTexts.mark {
                    append(values[place][number])
                    place += 1
                } else {
                    bytes.append(byte)
                }
            }
            guard bytes.count <= NumberedTexts.bytesMax else { throw NumberedTexts.damaged }
            lengths.append(bytes.count - start)
        }

        private mutating func append(_ value: UInt64) {
            let start = bytes.count
            var rest = value
            repeat {
                bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
                rest /= 10
            } while rest > 0
            bytes[start...].reverse()
        }

        func section(before values: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8] {
            var writer = ByteWriter()
            writer.count(lengths.count)
            for length in lengths { writer.count(length) }
            writer.raw(bytes)
            writer.raw(values)
            return writer.bytes
        }
    }
}
