// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// A body that is collected where it is made, without a socket.
final class Body: Sendable {
    let buffer = Mutex(ByteBuffer())
}

struct BodyWriter: ResponseBodyWriter {
    let body: Body

    mutating func write(_ buffer: ByteBuffer) async throws {
        body.buffer.withLock { _ = $0.writeImmutableBuffer(buffer) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
