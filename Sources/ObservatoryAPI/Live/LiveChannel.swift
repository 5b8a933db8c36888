// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import HummingbirdCore
internal import Kernel
internal import Logging
internal import NIOCore
internal import NIOHTTPTypes
internal import NIOWebSocket
internal import ServiceLifecycle
internal import Synchronization
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
final class LiveSocket: Sendable {
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    /// Since when a client has not read; `nil` while it does.
    private let stuckSince = Mutex<ContinuousClock.Instant?>(nil)

    /// How long a client may not read.
    private static let patience = Duration.seconds(30)

    private init(outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) { self.outbound = outbound }

    /// Sends a message of text. Waits for a client that reads slowly.
    func send(_ text: [UInt8]) async throws { try await write(.text, ByteBuffer(bytes: text)) }

    /// Shows those on the way that somebody is there.
    func ping() async throws { try await write(.ping, ByteBuffer()) }

    private func write(_ kind: WebSocketOpcode, _ data: ByteBuffer) async throws {
        stuckSince.withLock { $0 = .now }
        defer { stuckSince.withLock { $0 = nil } }
        try await outbound.write(WebSocketFrame(fin: true, opcode: kind, data: data))
    }

    /// Returns once the client has not read for too long.
    private func watch() async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            let since = stuckSince.withLock { $0 }
            if let since, ContinuousClock.now - since > Self.patience { return }
        }
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
                    group.addTask {
                        // What waits to be written would wait for ever.
                        if (try? await socket.watch()) != nil { connection.channel.close(promise: nil) }
                        return nil
                    }
                    let reason = await group.next() ?? nil
                    group.cancelAll()
                    if let reason { try? await socket.write(.connectionClose, Self.data(of: reason)) }
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
                try await write(.pong, frame.unmaskedData)
            default: break
            }
        }
        return nil
    }

    private static func data(of reason: WebSocketErrorCode) -> ByteBuffer {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: reason)
        return data
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
