// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import HummingbirdCore
internal import Kernel
internal import Logging
internal import NIOCore
internal import NIOHTTPTypes
internal import NIOWebSocket
internal import ServiceLifecycle
internal import TLS

/// What is told over a WebSocket until its client goes, or the process ends.
typealias LiveWork = @Sendable (LiveSocket) async throws -> Void

/// What is told over a WebSocket that a request begins; `nil` answers it as any other request.
typealias LiveOffer = @Sendable (LiveRequest) async -> LiveWork?

/// HTTP/1.1 as Hummingbird speaks it, and WebSockets (RFC 6455) where a request asks for what is offered so.
struct LiveChannel: HTTPChannelHandler {
    typealias HTTP = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
    typealias Socket = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    struct Value: ServerChildChannelValue {
        let negotiated: EventLoopFuture<Negotiated>
        let channel: any Channel
    }

    enum Negotiated: Sendable {
        case http(HTTP)
        case live(Socket, LiveWork)
    }

    let responder: Responder
    let idleTimeout: TimeAmount
    /// Where there are WebSockets.
    let paths: Set<String>
    let offer: LiveOffer

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let plain = HTTP1Channel(responder: responder, configuration: .init(idleTimeout: idleTimeout))
        return channel.eventLoop.makeCompletedFuture {
            let negotiated = channel.eventLoop.makePromise(of: Negotiated.self)
            let door = LiveDoor(
                paths: paths, offer,
                makeHTTP: { plain.setup(channel: $0, logger: logger) }, negotiated: negotiated)
            try channel.pipeline.syncOperations.addHandler(door)
            return Value(negotiated: negotiated.futureResult, channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // One that never says what it wants.
        let tooLate = value.channel.eventLoop.scheduleTask(in: idleTimeout) { value.channel.close(promise: nil) }
        guard let negotiated = try? await value.negotiated.get() else { return tooLate.cancel() }
        tooLate.cancel()
        switch negotiated {
        case .http(let connection): await handleHTTP(asyncChannel: connection, logger: logger)
        case .live(let connection, let work): await LiveSocket.run(connection, work)
        }
    }
}

/// The server's end of a WebSocket.
struct LiveSocket: Sendable {
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    /// Sends a message of text. Waits for a client that reads slowly.
    func send(_ text: [UInt8]) async throws {
        try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: text)))
    }

    /// Shows those on the way that somebody is there.
    func ping() async throws {
        try await outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
    }

    fileprivate static func run(
        _ connection: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, _ work: @escaping LiveWork
    ) async {
        try? await connection.executeThenClose { inbound, outbound in
            let socket = LiveSocket(outbound: outbound)
            await cancelWhenGracefulShutdown {
                await withTaskGroup(of: WebSocketErrorCode?.self) { group in
                    group.addTask { try? await socket.listen(to: inbound) }
                    group.addTask {
                        do { try await work(socket) } catch is CancellationError {} catch {
                            return .unexpectedServerError
                        }
                        return .goingAway
                    }
                    let reason = await group.next() ?? nil
                    group.cancelAll()
                    if let reason { try? await socket.close(reason) }
                }
            }
        }
    }

    /// - Returns: what to end with, once the client has ended it.
    private func listen(to inbound: NIOAsyncChannelInboundStream<WebSocketFrame>) async throws -> WebSocketErrorCode? {
        for try await frame in inbound {
            switch frame.opcode {
            case .connectionClose: return .normalClosure
            case .ping:
                try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
            default: break
            }
        }
        return nil
    }

    private func close(_ reason: WebSocketErrorCode) async throws {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: reason)
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    }
}

extension HTTPServerBuilder {
    /// HTTP/1.1 with WebSockets beside it, over TLS where there are `certificates`.
    static func live(
        at paths: Set<String>, idleTimeout: TimeAmount, _ certificates: Certificates?, _ offer: @escaping LiveOffer
    ) -> HTTPServerBuilder {
        HTTPServerBuilder {
            LiveChannel(responder: $0, idleTimeout: idleTimeout, paths: paths, offer: offer).secured(by: certificates)
        }
    }
}
