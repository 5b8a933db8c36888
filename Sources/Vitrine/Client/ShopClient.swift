// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Resilience

/// A keep-alive connection to a shop's API, for one caller at a time.
actor ShopClient {
    struct Reply: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]

        /// The body as JSON; `null` where it is none.
        var json: JSON { (try? JSON.parse(body, depthMax: 64)) ?? .null }
        var text: String { String(decoding: body, as: UTF8.self) }
        var isSuccess: Bool { (200..<300).contains(status) }
    }

    private let address: ShopAddress
    private let key: String?
    private var channel: (any Channel)?

    /// No answer takes longer.
    private static let deadline = Duration.seconds(60)

    init(_ address: ShopAddress, key: String?) {
        self.address = address
        self.key = key
    }

    /// Sends a request and waits for its answer. A connection that the server has closed is opened anew.
    ///
    /// - Throws: an I/O error; whether the server did anything is unknown then, which is what idempotency keys are for.
    func send(
        _ method: HTTPMethod, _ path: String, _ body: JSON? = nil, headers: [(String, String)] = []
    ) async throws -> Reply {
        try await send(method, path, bytes: body.map { Array($0.text.utf8) }, headers: headers)
    }

    /// The same with a body that is ready; `headers` may name its type.
    func send(
        _ method: HTTPMethod, _ path: String, bytes: [UInt8]?, headers extra: [(String, String)]
    ) async throws -> Reply {
        var headers = HTTPHeaders([("Host", "\(address.host):\(address.port)"), ("Accept", "application/json")])
        if let key { headers.add(name: "Authorization", value: "Bearer \(key)") }
        if let bytes {
            let type = method == .PATCH ? "application/merge-patch+json" : "application/json"
            headers.add(name: "Content-Type", value: type)
            headers.add(name: "Content-Length", value: String(bytes.count))
        } else if method != .GET {
            headers.add(name: "Content-Length", value: "0")
        }
        for (name, value) in extra { headers.replaceOrAdd(name: name, value: value) }
        let exchange = Exchange(
            head: HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers), body: bytes)
        let channel = try await connected()
        do {
            return try await withDeadline(Self.deadline) { try await Self.perform(exchange, on: channel) }
        } catch {
            self.channel = nil
            try? await channel.close()
            // A caller who left has cut the connection himself, which is no fault of the shop's.
            try Task.checkCancellation()
            throw error
        }
    }

    func close() async {
        try? await channel?.close()
        channel = nil
    }

    private func connected() async throws -> any Channel {
        if let channel, channel.isActive { return channel }
        let opened = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(ExchangeHandler())
                }
            }
            .connect(host: address.host, port: address.port).get()
        channel = opened
        return opened
    }

    private static func perform(_ exchange: Exchange, on channel: any Channel) async throws -> Reply {
        let promise = channel.eventLoop.makePromise(of: Reply.self)
        channel.eventLoop.execute {
            do {
                try channel.pipeline.syncOperations.handler(type: ExchangeHandler.self).begin(
                    exchange, promise, on: channel)
            } catch {
                promise.fail(error)
            }
        }
        // Whoever gives up cuts the connection, which ends the wait.
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}

/// Where a shop's API is.
struct ShopAddress: Sendable {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `http://host:port`.
    init?(url: String) {
        guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host else { return nil }
        self.init(host: host, port: parts.port ?? 80)
    }
}

private struct Exchange: Sendable {
    let head: HTTPRequestHead
    let body: [UInt8]?
}

/// Writes one request and gathers its answer. Lives on the channel's event loop.
private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private var promise: EventLoopPromise<ShopClient.Reply>?
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []

    func begin(_ exchange: Exchange, _ promise: EventLoopPromise<ShopClient.Reply>, on channel: any Channel) {
        // A connection that has ended tells nobody any more.
        guard channel.isActive else { return promise.fail(ChannelError.ioOnClosedChannel) }
        self.promise = promise
        head = nil
        body = []
        channel.write(HTTPClientRequestPart.head(exchange.head), promise: nil)
        if let bytes = exchange.body {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let buffer): body.append(contentsOf: buffer.readableBytesView)
        case .end:
            guard let head, let promise else { return }
            self.promise = nil
            promise.succeed(.init(status: Int(head.status.code), headers: head.headers, body: body))
            if !head.isKeepAlive { context.close(promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(ChannelError.eof)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        promise?.fail(error)
        promise = nil
    }
}
