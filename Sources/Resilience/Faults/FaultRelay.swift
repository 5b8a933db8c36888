// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Stands between a process and a server that it depends on, on a port of this machine, and does faults to the bytes between
/// them. What it passes is anybody's protocol, TLS included.
///
/// A piece that one side sends is a call of the plan, with the fact `direction`: `request` for what goes to the server, `answer`
/// for what comes from it. `error` and `reset` break the connection in place of the piece; `wrong` turns each of its bits over.
/// Pieces of one direction keep their order. Cost: all bytes go through this process and the machine's network once more.
public final class FaultRelay: Sendable {
    public let edge: String
    /// Where the process finds the server now, on 127.0.0.1.
    public let port: Int

    private let listener: any Channel
    private let open: OpenChannels

    private init(edge: String, port: Int, listener: any Channel, open: OpenChannels) {
        (self.edge, self.port, self.listener, self.open) = (edge, port, listener, open)
    }

    /// Begins to listen. Whether the server is there turns out with the first connection.
    /// - Throws: what the system says where no port can be had.
    public static func open(
        at edge: String, to host: String, port: Int, _ faults: FaultInjector
    ) async throws -> FaultRelay {
        let open = OpenChannels()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                open.add(near)
                let toServer = ClientBootstrap(group: near.eventLoop).channelOption(.autoRead, value: false)
                return toServer.connect(host: host, port: port).flatMap { far in
                    open.add(far)
                    return near.eventLoop.makeCompletedFuture {
                        try near.pipeline.syncOperations.addHandler(
                            FaultyWire(to: far, faults, edge: edge, direction: "request"))
                        try far.pipeline.syncOperations.addHandler(
                            FaultyWire(to: near, faults, edge: edge, direction: "answer"))
                    }.flatMapErrorThrowing { error in
                        // Nobody else would see that it has nobody to speak to.
                        far.close(promise: nil)
                        throw error
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FaultRelay(edge: edge, port: listener.localAddress?.port ?? 0, listener: listener, open: open)
    }

    /// Ends all connections, and takes no more.
    public func close() async {
        try? await listener.close()
        open.close()
    }
}

private final class OpenChannels: Sendable {
    private let state = Mutex((channels: [ObjectIdentifier: any Channel](), isClosed: false))

    /// Closes one that comes too late.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isWelcome = state.withLock { state in
            if !state.isClosed { state.channels[id] = channel }
            return !state.isClosed
        }
        guard isWelcome else { return channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.channels[id] = nil } }
    }

    func close() {
        let open = state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in open { channel.close(promise: nil) }
    }
}

/// One direction of a connection: takes a piece from its own channel, and only once that is passed on, the next.
private final class FaultyWire: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let peer: any Channel
    private let faults: FaultInjector
    private let edge: String
    private let direction: String
    private var waiting = CircularBuffer<ByteBuffer>()
    private var isPassing = false
    private var isOver = false

    /// How often it is seen whether a partition has ended.
    private static let tick = TimeAmount.milliseconds(20)

    init(to peer: any Channel, _ faults: FaultInjector, edge: String, direction: String) {
        (self.peer, self.faults, self.edge, self.direction) = (peer, faults, edge, direction)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Reading begins once the channel is active, which the near one is only after this.
        if context.channel.isActive { context.read() }
    }

    func channelActive(context: ChannelHandlerContext) { context.read() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { waiting.append(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) { passNext(context) }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        passNext(context)
    }

    /// Also where the channel went before it was ever active.
    func handlerRemoved(context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        passNext(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func passNext(_ context: ChannelHandlerContext) {
        guard !isPassing else { return }
        guard let piece = waiting.popFirst() else {
            if isOver { peer.close(promise: nil) } else { context.read() }
            return
        }
        isPassing = true
        pass(piece, context)
    }

    private func pass(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let (fault, wait) = faults.verdict(at: edge, ["direction": direction]) else {
            return forward(piece, context)
        }
        switch fault.kind {
        case .latency, .tail, .timeout: after(TimeAmount(wait), context) { self.forward(piece, context) }
        case .error, .reset: sever(context)
        case .partition: hold(piece, fault, context)
        case .bandwidth, .drip: trickle(piece, fault, context)
        case .wrong: forward(ByteBuffer(bytes: piece.readableBytesView.map { ~$0 }), context)
        }
    }

    private func forward(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
        peer.writeAndFlush(piece).assumeIsolated().whenComplete { result in
            self.isPassing = false
            switch result {
            case .success: self.passNext(context)
            case .failure: context.close(promise: nil)
            }
        }
    }

    private func hold(_ piece: ByteBuffer, _ fault: Fault, _ context: ChannelHandlerContext) {
        guard faults.left(of: fault) > .zero else { return forward(piece, context) }
        after(Self.tick, context) { self.hold(piece, fault, context) }
    }

    private func trickle(_ piece: ByteBuffer, _ fault: Fault, _ context: ChannelHandlerContext) {
        let (count, pause) = fault.trickle ?? (piece.readableBytes, .zero)
        // A long pause ends with the fault, and what is left comes at once.
        after(TimeAmount(min(pause, faults.left(of: fault))), context) {
            var rest = piece
            guard self.faults.left(of: fault) > .zero, rest.readableBytes > count,
                let part = rest.readSlice(length: count)
            else { return self.forward(rest, context) }
            self.peer.writeAndFlush(part).assumeIsolated().whenComplete { result in
                guard case .success = result else { return context.close(promise: nil) }
                self.trickle(rest, fault, context)
            }
        }
    }

    private func after(_ time: TimeAmount, _ context: ChannelHandlerContext, _ work: @escaping () -> Void) {
        context.eventLoop.assumeIsolated().scheduleTask(in: time, work)
    }

    /// Both sides see a reset and not an orderly end.
    private func sever(_ context: ChannelHandlerContext) {
        for channel in [context.channel, peer] {
            if let options = (channel as? any SocketOptionProvider) {
                options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
            } else {
                channel.close(promise: nil)
            }
        }
    }
}
