// SPDX-License-Identifier: Apache-2.0

internal import CZlib

/// Bodies in gzip (RFC 1952), by zlib.
package enum Gzip {
    package enum Failure: Error { case notGzip, tooLarge }

    // 15 bits of window; 16 more ask zlib for the gzip format.
    private static let windowBits: Int32 = 15 + 16

    /// `level` is 1 (fast) to 9 (small). What is made once and sent once takes a middling one: most of the gain at a fraction
    /// of the time.
    package static func compress(_ bytes: [UInt8], level: Int32 = 4) -> [UInt8]? {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var input = bytes
        let capacity = Int(deflateBound(&stream, UInt(bytes.count)))
        var isComplete = false
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            input.withUnsafeMutableBufferPointer { source in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(capacity)
                isComplete = deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
            count = capacity - Int(stream.avail_out)
        }
        return isComplete ? output : nil
    }

    /// - Throws: ``Failure/tooLarge`` as soon as more than `bytesMax` would come out, so that a small body cannot become
    ///   a large one in memory.
    package static func decompress(_ bytes: [UInt8], bytesMax: Int) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .notGzip
        }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var result = Z_OK
        input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            repeat {
                chunk.withUnsafeMutableBufferPointer { buffer in
                    stream.next_out = buffer.baseAddress
                    stream.avail_out = UInt32(buffer.count)
                    result = inflate(&stream, Z_NO_FLUSH)
                }
                output.append(contentsOf: chunk[..<(chunk.count - Int(stream.avail_out))])
            } while result == Z_OK && output.count <= bytesMax
        }
        if output.count > bytesMax { throw .tooLarge }
        guard result == Z_STREAM_END else { throw .notGzip }
        return output
    }
}
