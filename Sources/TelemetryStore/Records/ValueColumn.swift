// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Values of one attribute of one kind, in the order of the rows that have it.
struct ValueColumnWriter {
    private let kind: AttributeColumns.Kind
    /// Texts, each once, in the order in which they come first.
    private(set) var texts: TextTable
    private var values = ByteWriter()
    /// Whole numbers that came, each at least once.
    private(set) var integers: [Int64] = []

    init(_ kind: AttributeColumns.Kind) {
        self.kind = kind
        texts = TextTable(slots: kind.isText ? 64 : 1)
    }

    mutating func add(_ value: UInt64, in bytes: UnsafeBufferPointer<UInt8>) {
        switch kind {
        case .empty: break
        case .string, .bytes, .json: add(text: UnsafeBufferPointer(rebasing: bytes[TextRange(bits: value).range]))
        case .bool: values.byte(value == 0 ? 0 : 1)
        case .int:
            let number = Int64(bitPattern: value)
            values.signed(number)
            if integers.last != number { integers.append(number) }
        case .double: values.fixed(value)
        }
    }

    /// A text that is new costs nothing but itself: zero stands for the next one.
    mutating func add(text: UnsafeBufferPointer<UInt8>) {
        let count = texts.count
        let number = Int(texts.number(of: text))
        values.count(number == count ? 0 : number + 1)
    }

    /// The section, which must hold what it needs to be read alone.
    var bytes: [UInt8] {
        guard kind.isText else { return values.bytes }
        var writer = ByteWriter()
        writer.texts(texts)
        writer.raw(values.bytes)
        return writer.bytes
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

    /// - Throws: `Failure` with `corrupt`.
    init(_ kind: AttributeColumns.Kind, _ bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            return try ValueColumn(kind, &reader, count: nil)
        }
    }

    /// `count` says how many values there are, where they do not go on to the end.
    init(_ kind: AttributeColumns.Kind, _ reader: inout ByteReader, count: Int?) throws {
        self.kind = kind
        if kind.isText { texts = reader.texts() }
        var next = 0
        while count.map({ max(values.count, numbers.count) < $0 }) ?? true, !reader.isAtEnd {
            switch kind {
            case .empty: throw Failure(.corrupt, "a column without values has some")
            case .string, .bytes, .json:
                let code = reader.count(max: texts.count)
                let number = code == 0 ? next : code - 1
                if code == 0 { next += 1 }
                guard number < texts.count else { throw Failure(.corrupt, "a column names a text that it has not") }
                numbers.append(UInt32(number))
            case .bool: values.append(UInt64(reader.byte()))
            case .int: values.append(UInt64(bitPattern: reader.signed()))
            case .double: values.append(reader.fixed64())
            }
        }
        guard !reader.isDamaged, count.map({ max(values.count, numbers.count) == $0 }) ?? true else {
            throw Failure(.corrupt, "a column of records ends too early")
        }
    }
}

extension AttributeColumns.Kind {
    var isText: Bool { self == .string || self == .bytes || self == .json }
}
