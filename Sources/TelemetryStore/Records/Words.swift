// SPDX-License-Identifier: Apache-2.0

/// What full text search looks for: runs of letters, digits and underscores, in lower case.
enum Words {
    /// Shorter ones say too little to be worth a place in a filter.
    static let countMin = 3

    static func each(of text: some Sequence<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
        var word: [UInt8] = []
        for byte in text {
            if isPart(byte) {
                word.append(byte >= 65 && byte <= 90 ? byte | 32 : byte)
            } else {
                if word.count >= countMin { body(word[...]) }
                word.removeAll(keepingCapacity: true)
            }
        }
        if word.count >= countMin { body(word[...]) }
    }

    /// Bytes of letters beyond ASCII belong to words.
    static func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 95, 97...122, 128...: true
        default: false
        }
    }
}

/// What a search within texts looks for: each four ASCII letters that follow each other, in lower case. A text that somebody looks
/// for may begin and end within words, but its fragments are fragments of whatever has it.
struct Fragments {
    private static let letters = 4
    /// Of the 26^4 that there are, which have come.
    private var seen = [UInt64](repeating: 0, count: (26 * 26 * 26 * 26 + 63) / 64)

    /// Calls `body` with the number of each fragment of `text` that has not come before. A few nanoseconds for each byte.
    mutating func eachNew(in text: some Sequence<UInt8>, _ body: (UInt32) -> Void) {
        let newest: UInt32 = 26 * 26 * 26
        var (fragment, count) = (UInt32(0), 0)
        for byte in text {
            let letter = byte | 32
            guard letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "z") else {
                count = 0
                continue
            }
            fragment = fragment % newest * 26 + UInt32(letter - UInt8(ascii: "a"))
            count += 1
            guard count >= Self.letters else { continue }
            let (word, bit) = (Int(fragment >> 6), UInt64(1) << UInt64(fragment & 63))
            if seen[word] & bit == 0 {
                seen[word] |= bit
                body(fragment)
            }
        }
    }
}
