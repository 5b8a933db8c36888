// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Values of one attribute of one kind, in the order of the rows that have it.
struct ValueColumnWriter {
    private let kind: AttributeColumns.Kind
    /// Texts, each once, in the order in which they come first.
    private(set) var texts: TextTable
    /// Numbers of texts, or values.
    private var values: [UInt64] = []
    /// Whole numbers that came, each at least once.
    private(set) var integers: [Int64] = []

    /// How each fraction reads that came.
    var fractions: [String] {
        kind == .double ? values.map { AttributeColumns.value(kind, $0, in: [])?.text ?? "" } : []
    }

    init(_ kind: AttributeColumns.Kind) {
        self.kind = kind
        texts = TextTable(slots: kind.isText ? 64 : 1)
    }

    mutating func add(_ value: UInt64, in bytes: UnsafeBufferPointer<UInt8>) {
        switch kind {
        case .empty: break
        case .string, .bytes, .json: add(text: UnsafeBufferPointer(rebasing: bytes[TextRange(bits: value).range]))
        case .bool: values.append(value == 0 ? 0 : 1)
        case .int:
            let number = Int64(bitPattern: value)
            values.append(Zigzag.folded(number))
            if integers.last != number { integers.append(number) }
        case .double: values.append(value)
        }
    }

    /// A text that is new costs nothing but itself: zero stands for the next one.
    ///
    /// - Returns: Its number.
    @discardableResult
    mutating func add(text: UnsafeBufferPointer<UInt8>) -> Int {
        let count = texts.count
        let number = Int(texts.number(of: text))
        values.append(number == count ? 0 : UInt64(number) + 1)
        return number
    }

    /// How a text reads: itself, or of other values what people are shown of them.
    func shown(_ number: Int, _ kind: AttributeColumns.Kind) -> [UInt8] {
        let text = Array(texts.key(number))
        guard kind != .string else { return text }
        let whole = TextRange(offset: 0, count: text.count).bits
        return AttributeColumns.value(kind, whole, in: text).map { Array($0.text.utf8) } ?? text
    }

    /// The section, which must hold what it needs to be read alone.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        if kind.isText { writer.texts(texts) }
        if kind != .empty { writeValues(to: &writer) }
        return writer.bytes
    }

    func writeValues(to writer: inout ByteWriter) {
        writer.count(values.count)
        writer.planes(values)
    }
}

/// The same, read.
struct ValueColumn {
    /// As ``AttributeColumns/values`` has them, texts as ranges of the section.
    private(set) var values: [UInt64] = []
    /// Where each text stands in the section.
    private(set) var texts: [Range<Int>] = []
    /// For each value the number of its text.
    private(set) var numbers: [UInt32] = []
    let kind: AttributeColumns.Kind

    /// Without any value.
    init(_ kind: AttributeColumns.Kind) { self.kind = kind }

    /// - Throws: `Failure` with `corrupt`.
    init(_ kind: AttributeColumns.Kind, _ bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            return try ValueColumn(kind, &reader)
        }
    }

    init(_ kind: AttributeColumns.Kind, _ reader: inout ByteReader) throws {
        self.kind = kind
        guard kind != .empty else { return }
        if kind.isText { texts = reader.texts() }
        let count = reader.count(max: 1 << 28)
        let read = reader.planes(count)
        guard !reader.isDamaged else { throw Failure(.corrupt, "a column of records ends too early") }
        switch kind {
        case .empty, .bool, .double: values = read
        case .int: values = read.map { UInt64(bitPattern: Zigzag.unfolded($0)) }
        case .string, .bytes, .json:
            var next: UInt64 = 0
            numbers.reserveCapacity(count)
            for code in read {
                let number = code == 0 ? next : code - 1
                if code == 0 { next += 1 }
                guard number < UInt64(texts.count) else {
                    throw Failure(.corrupt, "a column names a text that it has not")
                }
                numbers.append(UInt32(number))
            }
        }
    }
}

extension AttributeColumns.Kind {
    var isText: Bool { self == .string || self == .bytes || self == .json }
}
