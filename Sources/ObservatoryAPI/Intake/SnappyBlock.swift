// SPDX-License-Identifier: Apache-2.0

internal import CSnappy

/// What Prometheus' remote write is packed in.
enum SnappyBlock {
    enum Malformed: Error {
        case notSnappy
        case tooLarge
    }

    /// Of one request, once it is expanded.
    private static let bytesMax = 64 << 20

    static func expanded(_ body: [UInt8]) throws(Malformed) -> [UInt8] {
        var count = 0
        let isFrame = body.withUnsafeBytes { bytes in
            snappy_uncompressed_length(bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, &count) == SNAPPY_OK
        }
        guard isFrame else { throw .notSnappy }
        guard count <= bytesMax else { throw .tooLarge }
        var isWhole = false
        let expanded = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            body.withUnsafeBytes { bytes in
                var written = count
                buffer.withMemoryRebound(to: CChar.self) { target in
                    isWhole =
                        snappy_uncompress(
                            bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, target.baseAddress, &written)
                        == SNAPPY_OK
                }
                initialized = isWhole ? written : 0
            }
        }
        guard isWhole else { throw .notSnappy }
        return expanded
    }
}
