// SPDX-License-Identifier: Apache-2.0

internal import CHiredis
internal import Glibc

/// One connection, used by one thread and never waited on except in ``connect(_:within:)``.
struct RedisSession: ~Copyable {
    private let context: UnsafeMutablePointer<redisContext>
    /// Whether all that was given has left.
    private(set) var hasSentAll = true

    /// Connects within so many milliseconds.
    /// - Throws: ``RedisError``.
    init(_ address: RedisAddress, milliseconds: Int32) throws(RedisError) {
        context = try Self.open(address, milliseconds: milliseconds)
    }

    private static func open(
        _ address: RedisAddress, milliseconds: Int32
    ) throws(RedisError) -> UnsafeMutablePointer<redisContext> {
        let opened =
            switch address.place {
            case .host(let host, let port): redisConnectNonBlock(host, Int32(port))
            case .socket(let path): redisConnectUnixNonBlock(path)
            }
        guard let opened else { throw .unavailable("there is no memory for a connection") }
        guard opened.pointee.err == 0 else {
            defer { redisFree(opened) }
            throw .unavailable(reason(opened))
        }
        var polled = pollfd(fd: opened.pointee.fd, events: Int16(POLLOUT), revents: 0)
        var error: Int32 = poll(&polled, 1, milliseconds) == 1 ? 0 : ETIMEDOUT
        var size = socklen_t(MemoryLayout<Int32>.size)
        if error == 0 { getsockopt(opened.pointee.fd, SOL_SOCKET, SO_ERROR, &error, &size) }
        guard error == 0 else {
            redisFree(opened)
            throw .unavailable(String(cString: strerror(error)))
        }
        return opened
    }

    deinit { redisFree(context) }

    var descriptor: Int32 { context.pointee.fd }

    private static func reason(_ context: UnsafeMutablePointer<redisContext>) -> String {
        withUnsafeBytes(of: &context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private func failure() -> RedisError { .unavailable(Self.reason(context)) }

    // MARK: Sending

    /// Takes a command along; ``send()`` sends it.
    mutating func append(_ bytes: [UInt8]) throws(RedisError) {
        let status = bytes.withUnsafeBytes { buffer in
            redisAppendFormattedCommand(context, buffer.baseAddress, buffer.count)
        }
        guard status == REDIS_OK else { throw failure() }
        hasSentAll = false
    }

    /// Sends as much as the socket takes.
    mutating func send() throws(RedisError) {
        while !hasSentAll {
            var isDone: Int32 = 0
            let before = pending
            guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw failure() }
            if isDone == 1 { hasSentAll = true } else if pending == before { return }
        }
    }

    /// The bytes that are left.
    private var pending: Int { context.pointee.obuf.map { sdslen($0) } ?? 0 }

    // MARK: Receiving

    /// Reads what has come.
    mutating func receive() throws(RedisError) {
        guard redisBufferRead(context) == REDIS_OK else { throw failure() }
    }

    /// The next answer that is whole.
    mutating func next() throws(RedisError) -> Result<RedisValue, RedisError>? {
        var reply: UnsafeMutableRawPointer?
        guard redisGetReplyFromReader(context, &reply) == REDIS_OK else { throw failure() }
        guard let reply else { return nil }
        defer { freeReplyObject(reply) }
        return Self.answer(reply.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private static func answer(_ reply: redisReply) -> Result<RedisValue, RedisError> {
        if reply.type == REDIS_REPLY_ERROR { return .failure(.refused(String(decoding: bytes(reply), as: UTF8.self))) }
        return .success(value(reply))
    }

    private static func value(_ reply: redisReply) -> RedisValue {
        switch reply.type {
        case REDIS_REPLY_INTEGER: return .integer(Int(reply.integer))
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS, REDIS_REPLY_ERROR: return .bytes(bytes(reply))
        case REDIS_REPLY_ARRAY:
            return .array(
                (0..<reply.elements).map { place in reply.element[place].map { value($0.pointee) } ?? .null })
        default: return .null
        }
    }

    private static func bytes(_ reply: redisReply) -> [UInt8] {
        guard let start = reply.str else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: reply.len))
    }
}
