// SPDX-License-Identifier: Apache-2.0

internal import CZlib

/// Bodies in gzip (RFC 1952), by zlib.
package enum Gzip {
    package enum Failure: Error { case notGzip, tooLarge }

    // 15 bits of window; 16 more ask zlib for the gzip format.
    private static let windowBits: Int32 = 15 + 16

    /// `level` is 1 (fast) to 9 (small); the middling one has most of the gain at a fraction of the time.
    package static func compress(_ bytes: [UInt8], level: Int32 = 4) -> [UInt8]? {
        Stream(level: level)?.pack(bytes, isLast: true)
    }

    /// A body that is made piece by piece; each can be read as soon as it is there.
    package final class Stream {
        private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

        package init?(level: Int32 = 4) {
            stream.initialize(to: z_stream())
            let (memory, size) = (Int32(8), Int32(MemoryLayout<z_stream>.size))
            let isReady = deflateInit2_(
                stream, level, Z_DEFLATED, windowBits, memory, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
            if isReady != Z_OK { return nil }
        }

        deinit {
            deflateEnd(stream)
            stream.deallocate()
        }

        package func pack(_ bytes: [UInt8], isLast: Bool) -> [UInt8] {
            var (input, output) = (bytes, [UInt8]())
            input.withUnsafeMutableBufferPointer { source in
                (stream.pointee.next_in, stream.pointee.avail_in) = (source.baseAddress, UInt32(source.count))
                repeat {
                    let room = Int(deflateBound(stream, UInt(stream.pointee.avail_in))) + 16
                    output += [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                        (stream.pointee.next_out, stream.pointee.avail_out) = (buffer.baseAddress, UInt32(room))
                        deflate(stream, isLast ? Z_FINISH : Z_SYNC_FLUSH)
                        count = room - Int(stream.pointee.avail_out)
                    }
                } while stream.pointee.avail_out == 0
            }
            return output
        }
    }

    /// - Throws: ``Failure/tooLarge`` as soon as more than `bytesMax` come out, so that no small body fills the memory.
    package static func decompress(_ bytes: [UInt8], bytesMax: Int) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        if inflateInit2_(&stream, windowBits, ZLIB_VERSION, size) != Z_OK { throw .notGzip }
        defer { inflateEnd(&stream) }
        var (input, output, result) = (bytes, [UInt8](), Z_OK)
        input.withUnsafeMutableBufferPointer { source in
            (stream.next_in, stream.avail_in) = (source.baseAddress, UInt32(source.count))
            repeat {
                output += [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                    (stream.next_out, stream.avail_out) = (buffer.baseAddress, 65_536)
                    result = inflate(&stream, Z_NO_FLUSH)
                    count = 65_536 - Int(stream.avail_out)
                }
            } while result == Z_OK && output.count <= bytesMax
        }
        if output.count > bytesMax { throw .tooLarge }
        guard result == Z_STREAM_END else { throw .notGzip }
        return output
    }
}
