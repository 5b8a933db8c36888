// SPDX-License-Identifier: Apache-2.0

/// Hashes of what a block can be searched for.
enum Term {
    /// An attribute and its value, exactly.
    static func pair(_ name: some Sequence<UInt8>, _ value: some Sequence<UInt8>) -> UInt64 {
        hash(Array(name) + [0] + Array(value))
    }

    /// A word, whatever its case.
    static func word(_ lowercased: some Sequence<UInt8>) -> UInt64 { hash([1] + Array(lowercased)) }

    /// One of ``Fragments``, by its number.
    static func fragment(_ number: UInt32) -> UInt64 {
        hash([2] + (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
    }

    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBufferPointer { KeyHash.of($0, seed: KeyHash.durableSeed) }
    }

    /// Whether an attribute that reads as `value` has a term: booleans and fractions have none.
    static func isIndexed(_ value: String) -> Bool {
        value != "true" && value != "false" && (Double(value) == nil || Int64(value) != nil)
    }
}

/// Which terms a block has, with few bytes: what it says is not there is not there (B. Bloom, 1970). Eight bits a term and four
/// probes err in 2.4 % of all cases.
struct TermFilter {
    private static let bitsPerTerm = 8
    private static let probes = 4

    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// `terms` may come more than once.
    init(_ terms: [UInt64]) {
        let distinct = Set(terms)
        var bytes = [UInt8](repeating: 0, count: max(1, distinct.count * Self.bitsPerTerm / 8))
        for term in distinct {
            for probe in 0..<Self.probes {
                let bit = Self.bit(term, probe, bytes.count)
                bytes[bit >> 3] |= 1 << UInt8(bit & 7)
            }
        }
        self.bytes = bytes
    }

    func mayHave(_ term: UInt64) -> Bool {
        guard !bytes.isEmpty else { return false }
        for probe in 0..<Self.probes {
            let bit = Self.bit(term, probe, bytes.count)
            if bytes[bit >> 3] & 1 << UInt8(bit & 7) == 0 { return false }
        }
        return true
    }

    private static func bit(_ term: UInt64, _ probe: Int, _ count: Int) -> Int {
        let (first, step) = (term & 0xFFFF_FFFF, term >> 32 | 1)
        return Int((first &+ UInt64(probe) &* step) % UInt64(count * 8))
    }
}
