// SPDX-License-Identifier: Apache-2.0

internal import CZlib

/// Checksums that tell damage, not forgery.
package enum Checksum {
    /// CRC-32 as in gzip (RFC 1952, section 8).
    package static func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let sum = bytes.withContiguousStorageIfAvailable { crc32_z(0, $0.baseAddress, $0.count) }
        return sum.map { UInt32(truncatingIfNeeded: $0) } ?? crc32(Array(bytes))
    }
}
