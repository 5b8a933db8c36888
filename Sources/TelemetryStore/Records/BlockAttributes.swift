// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Attributes of a block's rows and senders, for those who ask about few of them.
struct BlockAttributes {
    struct Origin {
        let service: [UInt8]
        private let attributes: [(name: [UInt8], value: [UInt8])]

        fileprivate init(_ origins: BatchOrigins, _ scope: Int, _ bytes: [UInt8]) {
            service = origins.service(ofScope: scope, in: bytes)
            let places = origins.resources[origins.scopes[scope].resource].attributes
            attributes =
                origins.resourceAttributes.list(places, in: bytes).map {
                    (Array($0.name.utf8), Array($0.value.text.utf8))
                }
                + [(Array("otel.scope.name".utf8), Array(bytes[origins.scopes[scope].name.range]))]
        }

        func has(_ name: [UInt8], _ value: [UInt8]) -> Bool {
            attributes.contains { $0.name == name && $0.value == value }
        }

        func value(_ name: [UInt8]) -> [UInt8]? { attributes.first { $0.name == name }?.value }
    }

    let origins: [Origin]
    private let schema: AttributeSchema
    private let bytes: [UInt8]
    private let shapes: [UInt32]
    private let section: (Int) throws -> [UInt8]

    /// - Throws: `Failure` with `corrupt`.
    init(_ sections: some RecordSections, shapes: [UInt32]) throws {
        let bytes = try sections.section(RecordBlock.Section.schema)
        var found = BatchOrigins()
        schema = try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            let schema = try AttributeSchema(&reader, buffer)
            try OriginTable.read(reader.texts(), of: buffer, base: 0, into: &found)
            return schema
        }
        origins = found.scopes.indices.map { Origin(found, $0, bytes) }
        (self.bytes, self.shapes) = (bytes, shapes)
        section = { try sections.attribute($0) }
    }

    /// Names of all attributes that rows have.
    var names: [[UInt8]] { schema.names.map { Array(bytes[$0]) } }

    /// For each row whether it has the attribute with a value that reads so.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func rows(having name: [UInt8], _ value: [UInt8]) throws -> [Bool] {
        var found = Array(repeating: false, count: shapes.count)
        try eachValue(of: name) { row, text in if text.elementsEqual(value) { found[row] = true } }
        return found
    }

    /// Which values count, of rows that say an attribute more than once.
    enum Occurrence { case all, firstOfRow, firstOfName }

    /// Calls `body` with each row that has the attribute, and how its value reads.
    func eachValue(of name: [UInt8], _ which: Occurrence = .all, _ body: (Int, ArraySlice<UInt8>) throws -> Void) throws
    {
        try eachPlace(of: name, which) { row, values, place, bytes in
            if let text = try Self.text(values, place, bytes) { try body(row, text) }
        }
    }

    /// Calls `body` with each row that has the attribute as a finite number, or as a text that reads as one.
    func eachNumber(of name: [UInt8], _ which: Occurrence, _ body: (Int, Double) throws -> Void) throws {
        try eachPlace(of: name, which) { row, values, place, bytes in
            let number: Double?
            switch values.kind {
            case .int where place < values.values.count: number = Double(Int64(bitPattern: values.values[place]))
            case .double where place < values.values.count: number = Double(bitPattern: values.values[place])
            case .string:
                number = try Self.text(values, place, bytes).flatMap { Double(String(decoding: $0, as: UTF8.self)) }
            default: number = nil
            }
            if let number, number.isFinite { try body(row, number) }
        }
    }

    private func eachPlace(
        of name: [UInt8], _ which: Occurrence, _ body: (Int, ValueColumn, Int, [UInt8]) throws -> Void
    ) throws {
        let firsts =
            which == .firstOfName
            ? schema.shapes.map { $0.first { bytes[schema.names[schema.columns[$0].name]].elementsEqual(name) } } : []
        for (place, column) in schema.columns.enumerated() where bytes[schema.names[column.name]].elementsEqual(name) {
            let bytes = try section(place)
            let values = try ValueColumn(column.kind, bytes)
            let having = schema.shapes.map { $0.count { $0 == place } }
            var next = 0
            for (row, shape) in shapes.enumerated() {
                guard Int(shape) < having.count else { throw Failure(.corrupt, "a record has no known shape") }
                for occurrence in 0..<having[Int(shape)] {
                    let isWanted =
                        switch which {
                        case .all: true
                        case .firstOfRow: occurrence == 0 && schema.shapes[Int(shape)].first == place
                        case .firstOfName: occurrence == 0 && firsts[Int(shape)] == place
                        }
                    guard isWanted else {
                        next += 1
                        continue
                    }
                    try body(row, values, next, bytes)
                    next += 1
                }
            }
        }
    }

    private static func text(_ column: ValueColumn, _ place: Int, _ bytes: [UInt8]) throws -> ArraySlice<UInt8>? {
        if column.kind == .empty { return nil }
        let isText = column.kind.isText
        guard place < (isText ? column.numbers.count : column.values.count) else {
            throw Failure(.corrupt, "a column has fewer values than rows")
        }
        let range = isText ? column.texts[Int(column.numbers[place])] : 0..<0
        if column.kind == .string { return bytes[range] }
        let bits = isText ? TextRange(offset: range.lowerBound, count: range.count).bits : column.values[place]
        return AttributeColumns.value(column.kind, bits, in: bytes).map { Array($0.text.utf8)[...] }
    }
}

extension RecordSections {
    /// Whether any value of an attribute may have one of the texts in it, by looking at all values at once. Reads little else.
    ///
    /// - Throws: `Failure` with `corrupt`.
    func mayContain(_ searches: [ByteSearch], in name: [UInt8]) throws -> Bool {
        let bytes = try section(RecordBlock.Section.schema)
        let schema = try bytes.withUnsafeBufferPointer { buffer in
            var reader = ByteReader(buffer)
            return try AttributeSchema(&reader, buffer)
        }
        let places = schema.columns.indices.filter { bytes[schema.names[schema.columns[$0].name]].elementsEqual(name) }
        // What is no text reads otherwise than it stands here.
        guard places.allSatisfy({ schema.columns[$0].kind == .string }) else { return true }
        let columns = try places.map { try attribute($0) }
        return searches.allSatisfy { search in
            columns.contains { $0.withUnsafeBufferPointer { search.isFound(in: $0) } }
        }
    }
}
