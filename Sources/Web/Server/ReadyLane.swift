// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Kernel
internal import NIOCore
internal import NIOHTTPTypes
internal import RateLimiting

/// The shortest way from a socket to an answer: bytes in, ready bytes out.
///
/// Stands before the HTTP codec. What it recognises and finds among ``ReadyAnswers`` it answers at once; everything else goes
/// on, unchanged, to the general path, and until that has answered, the lane is closed on this connection, so that answers
/// keep the order of their requests. Whoever pipelines, or sends a head or chunks in pieces, goes the general way for good.
final class ReadyLane: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = IOData

    private enum State {
        case open
        /// The general path is at work on one request, whose head ends at `headEnd` of the `forwarded` bytes.
        case closed(headEnd: Int, forwarded: Int)
        /// This connection is not for the lane.
        case left
    }

    private let answers: ReadyAnswers
    private let clock: WallClock
    private let idleTimeout: Duration
    private var state = State.open
    private var lastActivity = ContinuousClock.now
    private var idleCheck: Scheduled<Void>?
    /// Requests that the general path has not answered.
    private var open = 0
    private var bodyLength: Int?

    init(answers: ReadyAnswers, clock: WallClock, idleTimeout: Duration) {
        self.answers = answers
        self.clock = clock
        self.idleTimeout = idleTimeout
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch state {
        case .open:
            let start = ContinuousClock.now
            if let answer = bytes.withUnsafeReadableBytes({ answer(to: $0, since: start, context.channel.allocator) }) {
                lastActivity = start
                context.writeAndFlush(wrapOutboundOut(.byteBuffer(answer)), promise: nil)
                return
            }
            let headEnd = bytes.withUnsafeReadableBytes(RequestHead.end)
            state = headEnd.map { .closed(headEnd: $0, forwarded: bytes.readableBytes) } ?? .left
        case .closed(let headEnd, let forwarded):
            state = .closed(headEnd: headEnd, forwarded: forwarded + bytes.readableBytes)
        case .left: break
        }
        context.fireChannelRead(data)
    }

    /// The answer to one whole request, if it is ready.
    private func answer(
        to bytes: UnsafeRawBufferPointer, since start: ContinuousClock.Instant, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer? {
        guard let head = RequestHead(bytes),
            let answer = answers.find(hash: head.hash, at: start, where: head.matches)
        else { return nil }
        // Whoever has used up his limit is told so by the general path, which can also ask other processes.
        guard let decision = answers.limits.admitAtOnce(answer.checks) else { return nil }
        let isKnown = head.knows(answer.tag)
        let (fields, body) = isKnown ? (answer.unchangedHead, []) : (answer.head, answer.body)
        let now = clock.now()
        let requestID = APIContext.makeRequestID(at: now)
        var buffer = allocator.buffer(capacity: fields.count + body.count + 192 + decision.fieldsSizeMax)
        buffer.writeBytes(fields)
        buffer.writeStaticString("X-Request-Id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\nServer-Timing: cache;desc=hit\r\nDate: ")
        buffer.writeString(HTTPDate.text(of: now))
        buffer.writeStaticString("\r\n")
        answers.limits.writeFields(decision, now: now, to: &buffer)
        buffer.writeStaticString("\r\n")
        buffer.writeBytes(body)
        let (status, duration) = (isKnown ? 304 : 200, ContinuousClock.now - start)
        answer.signals.answered(status, "GET", after: duration)
        answers.requests.note(requestID, of: answer.app, "GET", answer.signals.route, status: status, after: duration)
        return buffer
    }

    // MARK: What the general path does

    /// `bodyLength` is `nil` where the head does not say it.
    func requestBegan(bodyLength: Int?) {
        open += 1
        self.bodyLength = bodyLength
        lastActivity = .now
    }

    /// Opens the lane again if the codec holds no byte of another request.
    func requestAnswered() {
        open -= 1
        lastActivity = .now
        guard case .closed(let headEnd, let forwarded) = state else { return }
        let isWhole = open == 0 && bodyLength.map { headEnd + $0 == forwarded } == true
        state = isWhole ? .open : .left
    }

    // MARK: Idle connections

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { scheduleIdleCheck(context, in: idleTimeout) }
    }

    func channelActive(context: ChannelHandlerContext) {
        scheduleIdleCheck(context, in: idleTimeout)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        idleCheck?.cancel()
        idleCheck = nil
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        idleCheck?.cancel()
        idleCheck = nil
    }

    /// Closes a connection on which no request was finished or begun for the idle timeout, whatever dribbles in.
    private func scheduleIdleCheck(_ context: ChannelHandlerContext, in delay: Duration) {
        guard idleCheck == nil else { return }
        idleCheck = context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(in: TimeAmount(delay)) { [self] in
            idleCheck = nil
            let idle = ContinuousClock.now - lastActivity
            if open == 0, idle >= idleTimeout {
                context.close(promise: nil)
            } else {
                scheduleIdleCheck(context, in: open == 0 ? idleTimeout - idle : idleTimeout)
            }
        }
    }
}

/// Tells the lane, from behind the codec, when the general path begins and ends a request.
final class ReadyLaneWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let lane: ReadyLane

    init(lane: ReadyLane) { self.lane = lane }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) {
            let isChunked = head.headerFields[.transferEncoding] != nil
            lane.requestBegan(bodyLength: isChunked ? nil : head.headerFields[.contentLength].map { Int($0) } ?? 0)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let isEnd = if case .end = unwrapOutboundIn(data) { true } else { false }
        context.write(data, promise: promise)
        if isEnd { lane.requestAnswered() }
    }
}
