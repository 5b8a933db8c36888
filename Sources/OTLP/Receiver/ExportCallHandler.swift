// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import Telemetry

/// One call, which is one stream: collects its message and answers it.
final class ExportCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private struct Reply: Sendable {
        var code: GRPC.Code
        var message = ""
        var body: [UInt8]?
        var retryAfter: Duration?
    }

    /// `nil` once somebody turns out to be nobody, of whom nothing is held.
    private var arrival: Intake.Arrival?
    private let access: Intake.Access
    private let timeout: TimeAmount
    private var headers: HPACKHeaders?
    /// Known before all has arrived. The rest is read all the same, because a client that is still sending may see the
    /// stream's end and not the reason.
    private var refusal: Intake.Answer?
    private var late: Scheduled<Void>?
    /// What comes of the look at the token, where one is needed.
    private var checking: EventLoopFuture<Bool>?

    init(_ intake: Intake, _ access: Intake.Access) {
        self.access = access
        arrival = intake.begin()
        timeout = TimeAmount(intake.limits.requestTimeout)
    }

    func channelActive(context: ChannelHandlerContext) {
        // Whoever sends slower than this holds memory for nothing.
        let channel = context.channel
        late = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        late?.cancel()
        context.fireChannelInactive()
    }

    /// A peer that breaks the protocol ends its stream and nothing else.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let block):
            if headers == nil {
                headers = block.headers
                checkAccess(context)
            }
            if block.endStream { answer(context) }
        case .data(let frame):
            if refusal == nil, case .byteBuffer(let buffer) = frame.data {
                refusal = arrival?.append(buffer.readableBytesView)
            }
            if frame.endStream { answer(context) }
        default: break
        }
    }

    /// Beside the arrival of the message. Who turns out to be nobody is answered at once, whatever else is still to come.
    private func checkAccess(_ context: ChannelHandlerContext) {
        guard let check = access.check else { return }
        let said = headers?.first(name: "authorization")
        let checked = context.eventLoop.makeFutureWithTask { await check(said) }
        checking = checked
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        checked.whenSuccess { isAllowed in
            guard !isAllowed else { return }
            let (handler, context) = bound.value
            handler.arrival = nil
            handler.send(Self.reply(.unauthenticated, .traces), context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard let checking else { return answerAllowed(context) }
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        checking.whenComplete { _ in
            let (handler, context) = bound.value
            handler.answerAllowed(context)
        }
    }

    private func answerAllowed(_ context: ChannelHandlerContext) {
        guard let arrival else { return }
        late?.cancel()
        let headers = headers ?? [:]
        if let refusal { return send(Self.reply(refusal, .traces), context) }
        guard let signal = Signal.allCases.first(where: { GRPC.path(of: $0) == headers.first(name: ":path") }) else {
            return send(
                Reply(code: .unimplemented, message: "The methods are Export of the trace, metrics and logs services."),
                context)
        }
        let encoding = headers.first(name: "grpc-encoding") ?? "identity"
        guard ["gzip", "identity"].contains(encoding) else {
            return send(Reply(code: .unimplemented, message: "grpc-encoding takes gzip or identity."), context)
        }
        guard let isCompressed = arrival.unframe() else {
            return send(Reply(code: .invalidArgument, message: "A call takes one message, whole."), context)
        }
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask {
            Self.reply(await arrival.finish(signal, .protobuf, isCompressed: isCompressed), signal)
        }.whenSuccess { reply in
            let (handler, context) = bound.value
            handler.send(reply, context)
        }
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
        case .unauthenticated: Reply(code: .unauthenticated, message: ExportAnswers.tokenIsMissing)
        }
    }

    private func send(_ reply: Reply, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        var trailers = HPACKHeaders([("grpc-status", String(reply.code.rawValue))])
        if !reply.message.isEmpty { trailers.add(name: "grpc-message", value: GRPC.encoded(reply.message)) }
        if let retryAfter = reply.retryAfter {
            let details = RPCStatus.encode(code: reply.code.rawValue, reply.message, retryAfter: retryAfter)
            trailers.add(name: "grpc-status-details-bin", value: Data(details).base64EncodedString())
        }
        var head = HPACKHeaders([
            (":status", "200"), ("content-type", "application/grpc"), ("grpc-accept-encoding", "identity,gzip"),
        ])
        if let body = reply.body {
            var message = context.channel.allocator.buffer(capacity: GRPC.prefixCount + body.count)
            message.writeBytes(GRPC.prefix(count: body.count, isCompressed: false))
            message.writeBytes(body)
            context.write(wrapOutboundOut(.headers(.init(headers: head))), promise: nil)
            context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(message)))), promise: nil)
        } else {
            // Trailers alone.
            head.add(contentsOf: trailers)
            trailers = head
        }
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: trailers, endStream: true))), promise: nil)
    }
}
