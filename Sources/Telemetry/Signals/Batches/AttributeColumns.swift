// SPDX-License-Identifier: Apache-2.0

/// Where a text stands in the bytes of its batch.
public struct TextRange: Hashable, Sendable {
    public let offset: UInt32
    public let count: UInt32

    public static let empty = TextRange(offset: 0, count: 0)

    public init(offset: Int, count: Int) {
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    private init(offset: UInt32, count: UInt32) { (self.offset, self.count) = (offset, count) }

    /// Both in one word, as ``AttributeColumns/values`` holds them.
    public init(bits: UInt64) {
        offset = UInt32(bits >> 32)
        count = UInt32(truncatingIfNeeded: bits)
    }

    public var bits: UInt64 { UInt64(offset) << 32 | UInt64(count) }

    public var range: Range<Int> { Int(offset)..<(Int(offset) + Int(count)) }
}

/// Attributes of many owners, one after the other: a column each of names, kinds and values.
///
/// An owner's attributes are a range of places.
public struct AttributeColumns: Sendable {
    public enum Kind: UInt8, Sendable {
        /// An AnyValue that is not set.
        case empty
        /// A ``TextRange``, as are `bytes` and `json`.
        case string
        case bool
        case int
        /// The bit pattern of a `Double`.
        case double
        case bytes
        /// An array or a map, as JSON text; bytes in it in base64.
        case json
    }

    public private(set) var names: [TextRange] = []
    public private(set) var kinds: [Kind] = []
    public private(set) var values: [UInt64] = []

    public init() {}

    public var count: Int { names.count }

    public mutating func append(_ name: TextRange, _ kind: Kind, _ value: UInt64) {
        names.append(name)
        kinds.append(kind)
        values.append(value)
    }

    /// Forgets all from a place on.
    public mutating func truncate(to count: Int) {
        names.removeLast(names.count - count)
        kinds.removeLast(kinds.count - count)
        values.removeLast(values.count - count)
    }
}

/// What every batch knows of its senders.
public struct BatchOrigins: Sendable {
    /// A sender, by its attributes.
    public struct Origin: Sendable {
        public var attributes: Range<Int>
    }

    /// The library that recorded, and whose it is.
    public struct Scope: Sendable {
        /// A place in ``BatchOrigins/resources``.
        public var resource: Int
        public var name = TextRange.empty
        public var version = TextRange.empty
        public var attributes: Range<Int>

        public init(resource: Int) {
            self.resource = resource
            attributes = 0..<0
        }
    }

    public var resources: [Origin] = []
    public var resourceAttributes = AttributeColumns()
    public var scopes: [Scope] = []
    public var scopeAttributes = AttributeColumns()

    public init() {}

    /// Begins a sender whose attributes follow.
    public mutating func beginResource() {
        resources.append(Origin(attributes: resourceAttributes.count..<resourceAttributes.count))
    }

    /// Ends the attributes of the last sender.
    public mutating func endResource() {
        guard let last = resources.indices.last else { return }
        resources[last].attributes = resources[last].attributes.lowerBound..<resourceAttributes.count
    }
    /// Begins a scope of the last sender.
    ///
    /// - Returns: Its place.
    public mutating func beginScope() -> Int {
        scopes.append(Scope(resource: max(0, resources.count - 1)))
        return scopes.count - 1
    }

    /// Senders, scopes and their attributes.
    public var parts: Int { resources.count + scopes.count + resourceAttributes.count + scopeAttributes.count }
}
