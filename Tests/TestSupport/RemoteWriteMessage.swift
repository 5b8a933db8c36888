// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Remote write as its senders speak it.
package enum RemoteWriteMessage {
    package static func bytes(_ series: [(LabelSet, SampleColumns)]) -> [UInt8] {
        snappy(
            series.flatMap { labels, samples in
                var body = labels.labels.flatMap {
                    field(1, field(1, Array($0.name.utf8)) + field(2, Array($0.value.utf8)))
                }
                for place in samples.times.indices {
                    let value = withUnsafeBytes(of: samples.values[place].bitPattern.littleEndian) { Array($0) }
                    body += field(2, [0x09] + value + [0x10] + varint(UInt64(bitPattern: samples.times[place])))
                }
                return field(1, body)
            })
    }

    package static func field(_ number: Int, _ body: [UInt8]) -> [UInt8] {
        varint(UInt64(number << 3 | 2)) + varint(UInt64(body.count)) + body
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (bytes, rest): ([UInt8], UInt64) = ([], value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// Snappy's block format without any compression: literals of at most 64 KiB.
    package static func snappy(_ bytes: [UInt8]) -> [UInt8] {
        var (block, place) = (varint(UInt64(bytes.count)), 0)
        while place < bytes.count {
            let count = min(65_536, bytes.count - place)
            block += [61 << 2, UInt8(truncatingIfNeeded: count - 1), UInt8(truncatingIfNeeded: (count - 1) >> 8)]
            block += bytes[place..<place + count]
            place += count
        }
        return block
    }
}
