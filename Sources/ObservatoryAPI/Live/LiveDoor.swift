// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import HTTPTypes
internal import NIOCore
internal import NIOWebSocket

/// The request with which a WebSocket begins (RFC 6455 section 4.1).
struct LiveRequest: Sendable {
    let path: String
    let query: String
    let fields: HTTPFields

    /// - Returns: `nil` where the bytes are no such request.
    init?(_ head: some Collection<UInt8>) {
        var lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")[...]
        let words = lines.popFirst()?.split(separator: " ") ?? []
        guard words.count == 3, words[0] == "GET", words[2] == "HTTP/1.1" else { return nil }
        let parts = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        (path, query) = (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        var fields = HTTPFields()
        for line in lines where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), let name = HTTPField.Name(String(line[..<colon])) else {
                return nil
            }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: CharacterSet.whitespaces)
            fields.append(HTTPField(name: name, value: value))
        }
        self.fields = fields
        guard fields[.upgrade]?.lowercased() == "websocket", key != nil else { return nil }
    }

    private var key: String? {
        guard let name = HTTPField.Name("Sec-WebSocket-Key"), let version = HTTPField.Name("Sec-WebSocket-Version"),
            fields[version] == "13"
        else { return nil }
        return fields[name]
    }

    /// The answer that makes a WebSocket of the connection (section 4.2.2).
    fileprivate var answer: String {
        let text = (key ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        let accept = Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(accept)\r\n\r\n"
    }
}

/// Looks at the first bytes of a connection, and then makes way: for HTTP, which sees them as if nobody had looked, or for a
/// WebSocket, which always begins a connection of its own.
final class LiveDoor: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let paths: Set<String>
    private let offer: LiveOffer
    private let makeHTTP: (any Channel) -> EventLoopFuture<LiveChannel.HTTP>
    private let negotiated: EventLoopPromise<LiveChannel.Negotiated>
    private var seen = ByteBuffer()
    private var isDeciding = false
    private var isInputClosed = false

    /// Of the head of a request for a WebSocket.
    private static let headBytesMax = 1 << 14
    /// Of a frame; clients have little to say.
    private static let frameBytesMax = 1 << 14

    /// - Parameters:
    ///   - paths: where there are WebSockets.
    ///   - offer: what is told over them.
    ///   - makeHTTP: puts HTTP behind this.
    ///   - negotiated: told which it is.
    init(
        paths: Set<String>, _ offer: @escaping LiveOffer,
        makeHTTP: @escaping (any Channel) -> EventLoopFuture<LiveChannel.HTTP>,
        negotiated: EventLoopPromise<LiveChannel.Negotiated>
    ) {
        (self.paths, self.offer, self.makeHTTP, self.negotiated) = (paths, offer, makeHTTP, negotiated)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        seen.writeBuffer(&bytes)
        guard !isDeciding else {
            // Nobody has anything to say before the answer.
            if seen.readableBytes > 2 * Self.headBytesMax { context.close(promise: nil) }
            return
        }
        guard mayBeLive else { return passOn(context) }
        guard let end = seen.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound else {
            if seen.readableBytes > Self.headBytesMax { passOn(context) }
            return
        }
        guard let request = LiveRequest(seen.readableBytesView[..<end]) else { return passOn(context) }
        isDeciding = true
        let (offer, count) = (offer, end - seen.readerIndex + 4)
        let decision = context.eventLoop.makeFutureWithTask { await offer(request) }
        decision.assumeIsolated().whenComplete { result in
            guard case .success(let work?) = result else { return self.passOn(context) }
            self.seen.moveReaderIndex(forwardBy: count)
            self.begin(work, request, context)
        }
    }

    /// Also where the channel went before it was ever active. What was fulfilled stays so.
    func handlerRemoved(context: ChannelHandlerContext) { negotiated.fail(ChannelError.eof) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The process ends, and here nothing has begun.
        if event is ChannelShouldQuiesceEvent { return context.close(promise: nil) }
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            // Told to whoever comes behind this; where nobody does, that is all.
            isInputClosed = true
            if !isDeciding { context.close(promise: nil) }
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Whether what was seen is, or could become, the head of a request for a WebSocket.
    private var mayBeLive: Bool {
        paths.contains { path in
            let beginning = Array("GET \(path)".utf8)
            return zip(beginning, seen.readableBytesView).allSatisfy { $0 == $1 }
        }
    }

    private func passOn(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        makeHTTP(context.channel).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let http):
                self.negotiated.succeed(.http(http))
                self.leave(context)
            case .failure(let error): self.fail(error, context)
            }
        }
    }

    private func begin(_ work: @escaping LiveWork, _ request: LiveRequest, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        context.writeAndFlush(NIOAny(ByteBuffer(string: request.answer)), promise: nil)
        do {
            try context.pipeline.syncOperations.addHandlers(
                WebSocketFrameEncoder(),
                ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Self.frameBytesMax)),
                WebSocketProtocolErrorHandler(isServer: true))
            negotiated.succeed(
                .live(try LiveChannel.Socket(wrappingChannelSynchronously: context.channel), work))
        } catch { return fail(error, context) }
        leave(context)
    }

    private func leave(_ context: ChannelHandlerContext) {
        if seen.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(seen)) }
        context.fireChannelReadComplete()
        if isInputClosed { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        negotiated.fail(error)
        context.close(promise: nil)
    }
}
