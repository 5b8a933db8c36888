// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// A hash whose key is drawn anew in each process, so that nobody can choose labels that meet.
enum KeyHash {
    private static let seed = UInt64.random(in: .min ... .max)

    /// For what is written to the disk: the same in every process.
    static let durableSeed: UInt64 = 0x9E37_79B9_7F4A_7C15

    static func of(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 { of(key, seed: seed) }

    /// Eight bytes at a time, folded by a multiplication of full width (the idea of wyhash; W. Yi, 2019).
    static func of(_ key: UnsafeBufferPointer<UInt8>, seed: UInt64) -> UInt64 {
        let raw = UnsafeRawBufferPointer(key)
        var (hash, place) = (seed ^ UInt64(raw.count), 0)
        while place + 8 <= raw.count {
            hash = fold(hash ^ raw.loadUnaligned(fromByteOffset: place, as: UInt64.self), 0xA076_1D64_78BD_642F)
            place += 8
        }
        var rest: UInt64 = 0
        while place < raw.count {
            rest = rest << 8 | UInt64(raw[place])
            place += 1
        }
        return fold(hash ^ rest, 0xE703_7ED1_A0B4_28DB ^ seed)
    }

    /// What stands for a trace where four bytes must do.
    static func ofTrace(_ high: UInt64, _ low: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: fold(high ^ durableSeed, low ^ 0xA076_1D64_78BD_642F) >> 32)
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}

extension SampleBatch {
    /// Of the keys of its rows.
    var hashes: [UInt64] {
        keys.withUnsafeBufferPointer { keys in
            rows.map { KeyHash.of(UnsafeBufferPointer(rebasing: keys[$0.key])) }
        }
    }
}
