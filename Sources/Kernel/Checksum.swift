// SPDX-License-Identifier: Apache-2.0

internal import CZlib

/// Checksums that tell damage, not forgery.
package enum Checksum {
    /// CRC-32 as in gzip (RFC 1952, section 8); `before` continues one.
    package static func crc32(_ bytes: some Sequence<UInt8>, after before: UInt32 = 0) -> UInt32 {
        let sum = bytes.withContiguousStorageIfAvailable { buffer in
            crc32_z(UInt(before), buffer.baseAddress, buffer.count)
        }
        return UInt32(
            truncatingIfNeeded: sum
                ?? Array(bytes).withUnsafeBufferPointer { crc32_z(UInt(before), $0.baseAddress, $0.count) })
    }
}
