// SPDX-License-Identifier: Apache-2.0

internal import CZstd
internal import Kernel

/// Zstandard frames (RFC 8878).
enum Zstandard {
    /// Quick enough for what is written now; old parts are written again with the strong one.
    static let quick: Int32 = 3
    /// For what soon is written again.
    static let fleeting: Int32 = 1
    static let strong: Int32 = 12

    static func compressed(_ bytes: [UInt8], level: Int32 = quick) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let size = ZSTD_compress(buffer.baseAddress, bound, bytes, bytes.count, level)
            precondition(ZSTD_isError(size) == 0, "a buffer of the bound that zstd names always suffices")
            count = size
        }
    }

    /// Compresses many small things, one after the other, without asking for memory each time.
    final class Compressor {
        private let context = ZSTD_createCCtx()
        private let level: Int32

        init(level: Int32) { self.level = level }

        deinit { ZSTD_freeCCtx(context) }

        func compressed(_ bytes: [UInt8]) -> [UInt8] {
            let bound = ZSTD_compressBound(bytes.count)
            return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                let size = ZSTD_compressCCtx(context, buffer.baseAddress, bound, bytes, bytes.count, level)
                precondition(ZSTD_isError(size) == 0, "a buffer of the bound that zstd names always suffices")
                count = size
            }
        }
    }

    /// - Throws: `Failure` with `corrupt` where the bytes are no frame, or one of another size.
    static func expanded(_ bytes: UnsafeBufferPointer<UInt8>, count: Int) throws -> [UInt8] {
        var written = 0
        let expanded = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let size = ZSTD_decompress(buffer.baseAddress, count, bytes.baseAddress, bytes.count)
            written = ZSTD_isError(size) == 0 ? size : 0
            initialized = written
        }
        guard written == count else { throw Failure(.corrupt, "a compressed block cannot be read") }
        return expanded
    }
}
