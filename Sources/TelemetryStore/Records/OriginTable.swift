// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Senders and scopes of a block, each once, as texts that hold all that is known of them.
struct OriginTable {
    private(set) var texts = TextTable(slots: 64)
    /// For each batch and each of its scopes the number of the text.
    private var known: [[UInt32?]]

    init(_ batches: [BatchOrigins]) { known = batches.map { Array(repeating: nil, count: $0.scopes.count) } }

    mutating func number(
        of scope: Int, in batch: Int, _ origins: BatchOrigins, _ bytes: UnsafeBufferPointer<UInt8>
    ) -> UInt32 {
        if let number = known[batch][scope] { return number }
        var writer = ByteWriter()
        let found = origins.scopes[scope]
        Self.write(origins.resourceAttributes, origins.resources[found.resource].attributes, bytes, to: &writer)
        writer.text(UnsafeBufferPointer(rebasing: bytes[found.name.range]))
        writer.text(UnsafeBufferPointer(rebasing: bytes[found.version.range]))
        Self.write(origins.scopeAttributes, found.attributes, bytes, to: &writer)
        let number = texts.number(of: writer.bytes)
        known[batch][scope] = number
        return number
    }

    /// Attributes one after the other, for those that few rows have.
    static func write(
        _ attributes: AttributeColumns, _ range: Range<Int>, _ bytes: UnsafeBufferPointer<UInt8>,
        to writer: inout ByteWriter
    ) {
        writer.count(range.count)
        for place in range {
            writer.text(UnsafeBufferPointer(rebasing: bytes[attributes.names[place].range]))
            let kind = attributes.kinds[place]
            writer.byte(kind.rawValue)
            if kind.isText {
                writer.text(UnsafeBufferPointer(rebasing: bytes[TextRange(bits: attributes.values[place]).range]))
            } else if kind != .empty {
                writer.fixed(attributes.values[place])
            }
        }
    }

    /// Reads what ``write(_:_:_:to:)`` wrote. `base` is where the reader's bytes stand in those of the batch.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func read(_ reader: inout ByteReader, base: Int, into attributes: inout AttributeColumns) throws {
        for _ in 0..<reader.count() {
            let name = range(&reader, base)
            guard let kind = AttributeColumns.Kind(rawValue: reader.byte()) else {
                throw Failure(.corrupt, "an attribute is of no known kind")
            }
            let value = kind.isText ? range(&reader, base).bits : kind == .empty ? 0 : reader.fixed64()
            attributes.append(name, kind, value)
        }
        if reader.isDamaged { throw Failure(.corrupt, "attributes end too early") }
    }

    static func range(_ reader: inout ByteReader, _ base: Int) -> TextRange {
        let text = reader.text()
        return TextRange(offset: base + reader.place - text.count, count: text.count)
    }

    /// Appends the origins of a block; each has a sender and a scope of its own. `texts` are ranges of `buffer`, which stands at
    /// `base` in the batch's bytes.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func read(
        _ texts: [Range<Int>], of buffer: UnsafeBufferPointer<UInt8>, base: Int, into origins: inout BatchOrigins
    ) throws {
        for text in texts {
            var reader = ByteReader(UnsafeBufferPointer(rebasing: buffer[text]))
            let textBase = base + text.lowerBound
            origins.beginResource()
            try read(&reader, base: textBase, into: &origins.resourceAttributes)
            origins.endResource()
            let scope = origins.beginScope()
            origins.scopes[scope].name = range(&reader, textBase)
            origins.scopes[scope].version = range(&reader, textBase)
            let first = origins.scopeAttributes.count
            try read(&reader, base: textBase, into: &origins.scopeAttributes)
            origins.scopes[scope].attributes = first..<origins.scopeAttributes.count
        }
    }
}
