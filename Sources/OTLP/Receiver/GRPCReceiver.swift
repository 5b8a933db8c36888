// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization
package import TLS

/// OTLP over gRPC: the three unary `Export` calls over HTTP/2.
///
/// A small handler over NIO's HTTP/2, instead of a gRPC framework: `Benchmarks/RESULTS.md` has both measured.
package final class GRPCReceiver: Service {
    private let intake: Intake
    private let host: String
    private let port: Int
    private let certificates: Certificates?
    private let access: Intake.Access
    private let started: @Sendable (Int) async -> Void
    private let connections = Mutex<[ObjectIdentifier: any Channel]>([:])

    /// A window for each stream that lets a whole batch arrive without waiting for its renewal.
    private static let windowBytes = 1 << 20
    /// A connection on which nothing happens is closed after so long; clients make another when they need it.
    private static let idleMax = TimeAmount.seconds(300)
    /// How long calls that are under way may take once the end is asked for.
    private static let farewell = Duration.seconds(3)

    /// - Parameters:
    ///   - intake: What becomes of the requests.
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 takes a free one. 4317 is OTLP's.
    ///   - certificates: What it shows over TLS, with `h2` within; HTTP/2 with prior knowledge without.
    ///   - access: Who may send. Default everybody.
    ///   - started: Told the port once it listens.
    package init(
        _ intake: Intake, host: String, port: Int, certificates: Certificates? = nil,
        access: Intake.Access = .everybody,
        started: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.intake = intake
        self.host = host
        self.port = port
        self.certificates = certificates
        self.access = access
        self.started = started
    }

    package func run() async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in self.welcome(channel) }
            .bind(host: host, port: port).get()
        await started(server.localAddress?.port ?? port)
        await cancelWhenGracefulShutdown {
            // Until it is over; nothing else ends it.
            try? await Task.sleep(for: .seconds(1_000_000_000))
        }
        try? await server.close()
        let end = ContinuousClock.now + Self.farewell
        while intake.isAtWork, ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(10))) != nil {}
        for channel in connections.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    private func welcome(_ channel: any Channel) -> EventLoopFuture<Void> {
        let id = ObjectIdentifier(channel)
        let isWelcome = connections.withLock { connections in
            guard connections.count < self.intake.limits.connectionsMax else { return false }
            connections[id] = channel
            return true
        }
        guard isWelcome else { return channel.close() }
        channel.closeFuture.whenComplete { _ in self.connections.withLock { $0[id] = nil } }
        let (intake, access, certificates) = (intake, access, certificates)
        return channel.eventLoop.makeCompletedFuture {
            try certificates?.secure(channel)
            try channel.pipeline.syncOperations.addHandlers(
                IdleStateHandler(allTimeout: Self.idleMax), IdleConnectionHandler())
            _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                mode: .server, connectionConfiguration: Self.configuration.connection,
                streamConfiguration: Self.configuration.stream
            ) { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(ExportCallHandler(intake, access))
                }
            }
        }
    }

    private static var configuration: NIOHTTP2Handler.Configuration {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
            HTTP2Setting(parameter: .initialWindowSize, value: windowBytes),
        ]
        configuration.connection.targetWindowSize = windowBytes
        configuration.stream.targetWindowSize = windowBytes
        return configuration
    }
}

private final class IdleConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
