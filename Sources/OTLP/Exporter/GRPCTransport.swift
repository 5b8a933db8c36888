// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
internal import Telemetry

/// OTLP over gRPC: unary calls on one HTTP/2 connection for each address, made anew when it is lost.
final class GRPCTransport: Transport {
    private typealias Stream = NIOAsyncChannel<HTTP2Frame.FramePayload, HTTP2Frame.FramePayload>

    private struct Connection: Sendable {
        let channel: any Channel
        let streams: NIOHTTP2Handler.AsyncStreamMultiplexer<Void>
        /// Calls in a row that were not answered in time.
        var latenesses = 0
    }

    private struct Away: Error { let reason: String }

    private let settings: ExporterSettings
    private let connections = Mutex<[String: Connection]>([:])

    private static let responseBytesMax = 4 << 20
    private static let latenessesMax = 3

    init(_ settings: ExporterSettings) { self.settings = settings }

    func send(_ body: [UInt8], _ signal: Signal, isCompressed: Bool) async -> Delivery {
        let target = settings[signal]
        do {
            return try await withTimeout(settings.timeout) {
                try await self.call(body, signal, target, isCompressed)
            }
        } catch {
            lose(connectionTo: target.url, isLate: error is NoAnswer)
            return .unavailable(after: nil, reason: (error as? Away)?.reason ?? "\(error)")
        }
    }

    /// A connection that is gone is made anew. One that is late is left to the other signals, unless it is late again and
    /// again: then nobody is at its other end.
    private func lose(connectionTo address: String, isLate: Bool) {
        connections.withLock { connections in
            guard let known = connections[address] else { return }
            let isGone = !known.channel.isActive
            connections[address]?.latenesses += isLate ? 1 : 0
            guard isGone || known.latenesses + 1 >= Self.latenessesMax && isLate else { return }
            connections[address] = nil
            known.channel.close(promise: nil)
        }
    }

    private func call(
        _ body: [UInt8], _ signal: Signal, _ target: ExporterSettings.Target, _ isCompressed: Bool
    ) async throws -> Delivery {
        let connection = try await connection(to: target.url)
        let stream = try await connection.streams.openStream { channel in
            channel.eventLoop.makeCompletedFuture { try Stream(wrappingChannelSynchronously: channel) }
        }
        let headers = headers(signal, target, isCompressed)
        var message = ByteBuffer()
        message.reserveCapacity(GRPC.prefixCount + body.count)
        message.writeBytes(GRPC.prefix(count: body.count, isCompressed: isCompressed))
        message.writeBytes(body)
        return try await stream.executeThenClose { inbound, outbound in
            try await outbound.write(.headers(.init(headers: headers)))
            try await outbound.write(.data(.init(data: .byteBuffer(message), endStream: true)))
            let answer = try await Self.answer(from: inbound)
            self.connections.withLock { $0[target.url]?.latenesses = 0 }
            return answer
        }
    }

    private func headers(
        _ signal: Signal, _ target: ExporterSettings.Target, _ isCompressed: Bool
    ) -> HPACKHeaders {
        let url = URL(string: target.url)
        let host = url?.host() ?? "localhost"
        var headers = HPACKHeaders([
            (":method", "POST"), (":scheme", url?.scheme ?? "http"), (":path", GRPC.path(of: signal)),
            (":authority", url?.port.map { "\(host):\($0)" } ?? host), ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", "\(min(99_999_999, Int(settings.timeout / .milliseconds(1))))m"),
            ("user-agent", ExporterSettings.userAgent),
        ])
        if isCompressed { headers.add(name: "grpc-encoding", value: "gzip") }
        for (name, value) in target.headers { headers.replaceOrAdd(name: name.lowercased(), value: value) }
        return headers
    }

    private static func answer(
        from inbound: NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>
    ) async throws -> Delivery {
        var (headers, body) = (HPACKHeaders(), [UInt8]())
        for try await payload in inbound {
            switch payload {
            case .headers(let block):
                headers.add(contentsOf: block.headers)
                if block.endStream { return delivery(headers, body) }
            case .data(let frame):
                if case .byteBuffer(let buffer) = frame.data { body += buffer.readableBytesView }
                guard body.count <= responseBytesMax else { return .refused(reason: "The answer is too long") }
                if frame.endStream { return delivery(headers, body) }
            default: break
            }
        }
        throw Away(reason: "the connection was closed")
    }

    private static func delivery(_ headers: HPACKHeaders, _ body: [UInt8]) -> Delivery {
        guard let status = headers.first(name: "grpc-status").flatMap(Int.init) else {
            // Whoever answered speaks no gRPC, such as a proxy.
            let status = headers.first(name: ":status") ?? ""
            let reason = "HTTP \(status) without a gRPC status"
            return ["429", "502", "503", "504"].contains(status)
                ? .unavailable(after: nil, reason: reason) : .refused(reason: reason)
        }
        let code = GRPC.Code(rawValue: status) ?? .unknown
        if code == .ok { return ExportResponse.read(GRPC.message(in: body)?.bytes ?? []) }
        let details = RPCStatus.read(GRPC.details(headers.first(name: "grpc-status-details-bin") ?? ""))
        let message = headers.first(name: "grpc-message")?.removingPercentEncoding ?? details.message
        let reason = "gRPC \(status) \(message)"
        return code.isRetryable(hasAdvice: details.retryAfter != nil)
            ? .unavailable(after: details.retryAfter, reason: reason) : .refused(reason: reason)
    }

    // MARK: Connections

    private func connection(to address: String) async throws -> Connection {
        if let known = connections.withLock({ $0[address] }), known.channel.isActive { return known }
        let made = try await connect(to: address)
        return connections.withLock { connections in
            // Another call may have been faster.
            if let other = connections[address], other.channel.isActive {
                made.channel.close(promise: nil)
                return other
            }
            connections[address] = made
            return made
        }
    }

    private func connect(to address: String) async throws -> Connection {
        guard let url = URL(string: address), let host = url.host() else { throw Away(reason: "no address") }
        var configuration = settings.tls
        configuration.applicationProtocols = ["h2"]
        let tls = url.scheme == "https" ? try NIOSSLContext(configuration: configuration) : nil
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(5))
            .connect(host: host, port: url.port ?? 4_317) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: host))
                    }
                    let streams = try channel.pipeline.syncOperations.configureAsyncHTTP2Pipeline(
                        mode: .client
                    ) { stream in
                        // A collector opens none.
                        stream.close()
                    }
                    return Connection(channel: channel, streams: streams)
                }
            }
    }

    func close() async {
        let all = connections.withLock { connections in
            defer { connections = [:] }
            return Array(connections.values)
        }
        for connection in all { try? await connection.channel.close() }
    }
}
