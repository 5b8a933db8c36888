// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Takes attributes of rows apart: each name and kind has a column of values, and a row says by its *shape* which it has.
struct AttributeSectionsWriter {
    private static let kinds = 7
    /// Names and kinds that have columns of their own in a block.
    private static let columnsMax = 2_000
    private static let beyondName = Array("vitrine.attributes.beyond".utf8)

    private(set) var names = TextTable(slots: 128)
    /// Columns by name and kind; all ones where there is none.
    private var places: [UInt32] = []
    private(set) var columns: [(name: UInt32, kind: AttributeColumns.Kind, values: ValueColumnWriter)] = []
    private var shapes = TextTable(slots: 64)
    private var shape = ByteWriter()
    /// The column of what is beyond ``columnsMax``.
    private var beyond: Int?

    /// Begins a row.
    mutating func begin() { shape.removeAll() }

    mutating func add(
        _ attributes: AttributeColumns, _ range: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>
    ) {
        for place in range {
            let name = UnsafeBufferPointer(rebasing: bytes[attributes.names[place].range])
            add(name, attributes.kinds[place], attributes.values[place], in: bytes)
        }
    }

    mutating func add(
        _ name: UnsafeBufferPointer<UInt8>, _ kind: AttributeColumns.Kind, _ value: UInt64,
        in bytes: UnsafeBufferPointer<UInt8>
    ) {
        // What a record of the log says has no name, and always has a column; other names that are new have none beyond the most.
        let isFull = columns.count >= Self.columnsMax && !name.isEmpty
        guard let number = isFull ? names.find(name, KeyHash.of(name)) : names.number(of: name) else {
            return addBeyond(name, kind, value, in: bytes)
        }
        let place = Int(number) * Self.kinds + Int(kind.rawValue)
        if place >= places.count { places += repeatElement(.max, count: Self.kinds * names.count - places.count) }
        if places[place] == .max {
            guard !isFull else { return addBeyond(name, kind, value, in: bytes) }
            places[place] = UInt32(columns.count)
            columns.append((number, kind, ValueColumnWriter(kind)))
        }
        let column = Int(places[place])
        shape.count(column)
        columns[column].values.add(value, in: bytes)
    }

    /// One of too many attributes, as a text of a column that all of them share.
    private mutating func addBeyond(
        _ name: UnsafeBufferPointer<UInt8>, _ kind: AttributeColumns.Kind, _ value: UInt64,
        in bytes: UnsafeBufferPointer<UInt8>
    ) {
        if beyond == nil {
            beyond = columns.count
            let number = names.number(of: Self.beyondName)
            columns.append((number, .string, ValueColumnWriter(.string)))
        }
        guard let beyond else { return }
        shape.count(beyond)
        let shown =
            kind.isText
            ? Array(bytes[TextRange(bits: value).range])
            : Array((AttributeColumns.value(kind, value, in: [])?.text ?? "").utf8)
        // One that was beyond before is not named again.
        let isNamed = kind == .string && name.elementsEqual(Self.beyondName)
        let text = isNamed ? shown : Array(name) + [UInt8(ascii: "=")] + shown
        _ = text.withUnsafeBufferPointer { columns[beyond].values.add(text: $0) }
    }

    /// Ends a row.
    ///
    /// - Returns: The number of its shape.
    mutating func end() -> UInt32 { shape.bytes.withUnsafeBufferPointer { shapes.number(of: $0) } }

    /// A section for each column. Where `isLasting`, texts have their numbers apart, but for what a log record says: that is looked
    /// through as it stands.
    func sections(isLasting: Bool) -> [[UInt8]] {
        columns.map { column in
            let isApart = isLasting && column.kind == .string && !names.key(Int(column.name)).isEmpty
            return (isApart ? NumberedTexts.apart(column.values) : nil) ?? column.values.bytes
        }
    }

    /// Names, columns and shapes, as the schema has them.
    func write(to schema: inout ByteWriter) {
        schema.texts(names)
        schema.count(columns.count)
        for column in columns {
            schema.count(Int(column.name))
            schema.byte(column.kind.rawValue)
        }
        schema.texts(shapes)
    }
}

/// Which attributes the rows of a block have.
struct AttributeSchema {
    struct Column {
        /// A place in ``names``.
        let name: Int
        let kind: AttributeColumns.Kind
    }

    /// Ranges of the schema's section.
    let names: [Range<Int>]
    let columns: [Column]
    /// For each shape its columns.
    let shapes: [[Int]]

    /// - Throws: `Failure` with `corrupt`.
    init(_ reader: inout ByteReader, _ buffer: UnsafeBufferPointer<UInt8>) throws {
        names = reader.texts()
        var columns: [Column] = []
        for _ in 0..<reader.count() {
            let name = reader.count(max: .max)
            guard let kind = AttributeColumns.Kind(rawValue: reader.byte()), name < names.count else {
                throw Failure(.corrupt, "a block of records has a column that makes no sense")
            }
            columns.append(Column(name: name, kind: kind))
        }
        var shapes: [[Int]] = []
        for range in reader.texts() {
            var (shape, places) = (ByteReader(UnsafeBufferPointer(rebasing: buffer[range])), [Int]())
            while !shape.isAtEnd { places.append(shape.count(max: .max)) }
            guard !shape.isDamaged, places.allSatisfy({ $0 < columns.count }) else {
                throw Failure(.corrupt, "a block of records has a shape that makes no sense")
            }
            shapes.append(places)
        }
        (self.columns, self.shapes) = (columns, shapes)
    }
}

/// Puts attributes of rows together again.
struct AttributeSectionsReader {
    private let schema: AttributeSchema
    private var values: [[UInt64]] = []
    private var next: [Int]
    private let names: [TextRange]

    /// Appends the texts of all columns to `bytes`, where the attributes will refer to them. `schemaBase` is where the schema's
    /// own section stands there.
    ///
    /// - Throws: `Failure` with `corrupt`.
    init(
        _ schema: AttributeSchema, _ sections: some RecordSections, schemaBase: Int, into bytes: inout [UInt8]
    ) throws {
        self.schema = schema
        next = Array(repeating: 0, count: schema.columns.count)
        names = schema.names.map { TextRange(offset: $0.lowerBound + schemaBase, count: $0.count) }
        for (place, column) in schema.columns.enumerated() {
            let section = try sections.attribute(place)
            let values = try ValueColumn(column.kind, section)
            guard column.kind.isText else {
                self.values.append(values.values)
                continue
            }
            let base = bytes.count
            // The texts stand together before the numbers.
            if let last = values.texts.last { bytes += section[..<last.upperBound] }
            let texts = values.texts.map { TextRange(offset: base + $0.lowerBound, count: $0.count).bits }
            self.values.append(values.numbers.map { texts[Int($0)] })
        }
    }

    /// Passes over the attributes of the next row.
    ///
    /// - Throws: `Failure` with `corrupt`.
    mutating func skip(_ shape: Int) throws {
        guard schema.shapes.indices.contains(shape) else { throw Failure(.corrupt, "a record has no known shape") }
        for column in schema.shapes[shape] { next[column] += 1 }
    }

    /// Appends the attributes of the next row.
    ///
    /// - Throws: `Failure` with `corrupt`.
    mutating func read(_ shape: Int, into attributes: inout AttributeColumns) throws {
        try read(shape) { name, kind, value in attributes.append(name, kind, value) }
    }

    mutating func read(_ shape: Int, _ body: (TextRange, AttributeColumns.Kind, UInt64) -> Void) throws {
        guard schema.shapes.indices.contains(shape) else { throw Failure(.corrupt, "a record has no known shape") }
        for column in schema.shapes[shape] {
            let kind = schema.columns[column].kind
            var value: UInt64 = 0
            if kind != .empty {
                guard next[column] < values[column].count else {
                    throw Failure(.corrupt, "a column has fewer values than rows")
                }
                value = values[column][next[column]]
                next[column] += 1
            }
            body(names[schema.columns[column].name], kind, value)
        }
    }
}
