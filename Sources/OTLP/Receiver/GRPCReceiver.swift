// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization
internal import Telemetry

/// OTLP over gRPC: the three unary `Export` calls over HTTP/2 with prior knowledge.
///
/// A small handler over NIO's HTTP/2, instead of a gRPC framework: `Benchmarks/RESULTS.md` has both measured.
package final class GRPCReceiver: Service {
    private typealias Stream = NIOAsyncChannel<HTTP2Frame.FramePayload, HTTP2Frame.FramePayload>
    private typealias Connection = (any Channel, NIOHTTP2Handler.AsyncStreamMultiplexer<Stream>)

    private let intake: Intake
    private let host: String
    private let port: Int
    private let started: @Sendable (Int) async -> Void
    private let connections = Mutex(0)

    /// A window for each stream that lets a whole batch arrive without waiting for its renewal.
    private static let windowBytes = 1 << 20

    /// - Parameters:
    ///   - intake: What becomes of the requests.
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 takes a free one. 4317 is OTLP's.
    ///   - started: Told the port once it listens.
    package init(
        _ intake: Intake, host: String, port: Int, started: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.intake = intake
        self.host = host
        self.port = port
        self.started = started
    }

    package func run() async throws {
        let timeout = TimeAmount(intake.limits.requestTimeout)
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: port) { channel in Self.configure(channel, timeout) }
        await started(server.channel.localAddress?.port ?? port)
        try await cancelWhenGracefulShutdown {
            do {
                try await withThrowingDiscardingTaskGroup { group in
                    try await server.executeThenClose { inbound in
                        for try await connection in inbound { group.addTask { await self.serve(connection) } }
                    }
                }
            } catch is CancellationError {
                // Asked to end, and has.
            }
        }
    }

    private static func configure(_ channel: any Channel, _ timeout: TimeAmount) -> EventLoopFuture<Connection> {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
            HTTP2Setting(parameter: .initialWindowSize, value: windowBytes),
        ]
        configuration.connection.targetWindowSize = windowBytes
        configuration.stream.targetWindowSize = windowBytes
        return channel.configureAsyncHTTP2Pipeline(mode: .server, configuration: configuration) { stream in
            // Whoever sends slower than this holds memory for nothing.
            let late = stream.eventLoop.scheduleTask(in: timeout) { stream.close(promise: nil) }
            stream.closeFuture.whenComplete { _ in late.cancel() }
            return stream.eventLoop.makeCompletedFuture { try Stream(wrappingChannelSynchronously: stream) }
        }.map { (channel, $0) }
    }

    private func serve(_ connection: Connection) async {
        let (channel, streams) = connection
        let isWelcome = connections.withLock { count in
            count += 1
            return count <= intake.limits.connectionsMax
        }
        defer { connections.withLock { $0 -= 1 } }
        if !isWelcome { return channel.close(promise: nil) }
        await withTaskCancellationHandler {
            // A peer that breaks the protocol ends its connection and nothing else.
            try? await withThrowingDiscardingTaskGroup { group in
                for try await stream in streams.inbound { group.addTask { await self.serve(stream) } }
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private func serve(_ stream: Stream) async {
        try? await stream.executeThenClose { inbound, outbound in
            let reply = try await self.reply(to: inbound)
            try await Self.send(reply, to: outbound)
        }
    }

    // MARK: One call

    private struct Reply {
        var code: GRPC.Code
        var message = ""
        var body: [UInt8]?
        var retryAfter: Duration?
    }

    private func reply(to inbound: NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>) async throws -> Reply {
        var arrival = intake.begin()
        var headers: HPACKHeaders?
        // Known before all has arrived. The rest is read all the same, because a client that is still sending may see the
        // stream's end and not the reason.
        var refusal: Intake.Answer?
        receiving: for try await payload in inbound {
            switch payload {
            case .headers(let block):
                if headers == nil { headers = block.headers }
                if block.endStream { break receiving }
            case .data(let frame):
                if refusal == nil, case .byteBuffer(let buffer) = frame.data {
                    refusal = arrival.append(buffer.readableBytesView)
                }
                if frame.endStream { break receiving }
            default: break
            }
        }
        guard let headers else { throw ChannelError.inputClosed }
        if let refusal { return Self.reply(refusal, .traces) }
        guard let signal = Signal.allCases.first(where: { GRPC.path(of: $0) == headers.first(name: ":path") }) else {
            return Reply(
                code: .unimplemented, message: "The methods are Export of the trace, metrics and logs services.")
        }
        let encoding = headers.first(name: "grpc-encoding") ?? "identity"
        guard ["gzip", "identity"].contains(encoding) else {
            return Reply(code: .unimplemented, message: "grpc-encoding takes gzip or identity.")
        }
        guard let isCompressed = arrival.unframe() else {
            return Reply(code: .invalidArgument, message: "A call takes one message, whole.")
        }
        return Self.reply(await arrival.finish(signal, .protobuf, isCompressed: isCompressed), signal)
    }

    private static func reply(_ answer: Intake.Answer, _ signal: Signal) -> Reply {
        switch answer {
        case .taken(let refusal):
            Reply(code: .ok, body: ExportAnswers.response(refusal, signal, .protobuf))
        case .malformed(let reason): Reply(code: .invalidArgument, message: reason)
        case .tooLarge(let reason): Reply(code: .resourceExhausted, message: reason)
        case .busy(let delay):
            Reply(code: .unavailable, message: "Too much is arriving. Come back later.", retryAfter: delay)
        case .failed: Reply(code: .unavailable, message: "What was sent cannot be stored now.")
        }
    }

    private static func send(
        _ reply: Reply, to outbound: NIOAsyncChannelOutboundWriter<HTTP2Frame.FramePayload>
    ) async throws {
        var trailers = HPACKHeaders([("grpc-status", String(reply.code.rawValue))])
        if !reply.message.isEmpty { trailers.add(name: "grpc-message", value: GRPC.encoded(reply.message)) }
        if let retryAfter = reply.retryAfter {
            let details = RPCStatus.encode(code: reply.code.rawValue, reply.message, retryAfter: retryAfter)
            trailers.add(name: "grpc-status-details-bin", value: Data(details).base64EncodedString())
        }
        let head = HPACKHeaders([
            (":status", "200"), ("content-type", "application/grpc"), ("grpc-accept-encoding", "identity,gzip"),
        ])
        guard let body = reply.body else {
            // Trailers alone.
            var all = head
            all.add(contentsOf: trailers)
            return try await outbound.write(.headers(.init(headers: all, endStream: true)))
        }
        var message = ByteBuffer(bytes: GRPC.prefix(count: body.count, isCompressed: false))
        message.writeBytes(body)
        try await outbound.write(
            contentsOf: [
                .headers(.init(headers: head)), .data(.init(data: .byteBuffer(message))),
                .headers(.init(headers: trailers, endStream: true)),
            ])
    }
}
