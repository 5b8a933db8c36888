// SPDX-License-Identifier: Apache-2.0

/// What one request may become in memory. A body of a few bytes can stand for many empty messages, each of which costs more
/// in columns than on the wire.
package struct DecodeLimits: Sendable {
    /// Spans, points or records.
    package var itemsMax = 1_000_000
    /// Attributes, events, links, exemplars, bounds and counts, and origins.
    package var partsMax = 8_000_000

    package init(itemsMax: Int = 1_000_000, partsMax: Int = 8_000_000) {
        self.itemsMax = itemsMax
        self.partsMax = partsMax
    }

    func check(items: Int) throws(WireError) {
        if items > itemsMax { throw .tooLarge("More than \(itemsMax) items in one request; send smaller batches.") }
    }

    func check(parts: Int) throws(WireError) {
        if parts > partsMax { throw .tooLarge("More than \(partsMax) parts in one request; send smaller batches.") }
    }
}

/// What was decoded, and what of it could not be taken.
struct Decoded<Batch: Sendable>: Sendable {
    var batch: Batch
    var rejected = 0
    /// Why, of the first that was rejected.
    var reason = ""

    mutating func reject(_ why: String) {
        if rejected == 0 { reason = why }
        rejected += 1
    }
}
