// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A script that runs inside Redis, in one piece. Its text is sent once for each connection, then only its name.
package final class RedisScript: Sendable {
    package let text: String
    /// By which Redis knows it: the hash of the text, told by the first server that was given it.
    private let stored = Mutex("")

    package init(_ text: String) { self.text = text }

    var hash: String {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

/// What is sent, without what comes before it.
package struct RedisCommand: Sendable {
    /// Bulk strings, one after another.
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    package init() {}

    package init(_ words: String...) { for word in words { append(word) } }

    package mutating func append(_ word: String) {
        var word = word
        word.withUTF8 { append($0) }
    }

    package mutating func append(_ word: some Collection<UInt8>) {
        bytes.append(UInt8(ascii: "$"))
        bytes.append(contentsOf: String(word.count).utf8)
        bytes.append(contentsOf: Self.end)
        bytes.append(contentsOf: word)
        bytes.append(contentsOf: Self.end)
        count += 1
    }

    /// `words` and then this, as the protocol wants it.
    func formatted(after words: RedisCommand = RedisCommand()) -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(16 + words.bytes.count + bytes.count)
        all.append(UInt8(ascii: "*"))
        all.append(contentsOf: String(words.count + count).utf8)
        all.append(contentsOf: Self.end)
        all.append(contentsOf: words.bytes)
        all.append(contentsOf: bytes)
        return all
    }

    private static let end: [UInt8] = [13, 10]
}
