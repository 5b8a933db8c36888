// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Looks for a text in others, by the one of its bytes that is least common in what people write, which the machine finds many
/// bytes at a time.
struct ByteSearch {
    /// From the most common to the least; what is not there is rarer.
    private static let common = Array(" etaoinsrhldcumfpg0123456789wybv/.-_:=\"kxjqz".utf8)

    private let text: [UInt8]
    private let rarest: Int

    init(_ text: [UInt8]) {
        self.text = text
        let ranks = text.map { byte in Self.common.firstIndex(of: byte | (byte >= 65 && byte <= 90 ? 32 : 0)) ?? .max }
        rarest = ranks.indices.max { ranks[$0] < ranks[$1] } ?? 0
    }

    /// An empty text is everywhere.
    func isFound(in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !text.isEmpty else { return true }
        guard let base = bytes.baseAddress, bytes.count >= text.count else { return false }
        return text.withUnsafeBufferPointer { wanted in
            guard let start = wanted.baseAddress else { return true }
            // Where the rarest byte may stand, so that the text fits around it.
            var place = rarest
            let last = bytes.count - text.count + rarest
            while place <= last {
                guard let found = memchr(base + place, Int32(wanted[rarest]), last - place + 1) else { return false }
                place = UnsafeRawPointer(found) - UnsafeRawPointer(base)
                if memcmp(base + place - rarest, start, text.count) == 0 { return true }
                place += 1
            }
            return false
        }
    }
}
