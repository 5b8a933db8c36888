// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Kernel
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Tells whoever sent something that is no HTTP what was wrong with it.
///
/// Such bytes never become a request, so no middleware sees them: Hummingbird answers a bare 400 and closes. This handler
/// stands at the connection, remembers what the parser said, and puts a problem document into that answer.
final class BrokenRequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let baseURL: String
    private let clock: WallClock
    private var fault: HTTPParserError?

    init(baseURL: String, clock: WallClock) {
        self.baseURL = baseURL
        self.clock = clock
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A head that parses and still makes no request, such as one without a path, is as broken as one that does not.
        let isFromConnection = error is IOError || error is ChannelError
        let fault = (error as? HTTPParserError) ?? (isFromConnection ? nil : .unknown)
        if let fault { self.fault = fault }
        context.fireErrorCaught(fault ?? error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let fault, case .head(let head) = unwrapOutboundIn(data), head.status == .badRequest,
            head.headerFields[.contentLength] == "0"
        else { return context.write(data, promise: promise) }
        let requestID = APIContext.makeRequestID()
        let answer = Self.problem(of: fault).response(requestID: requestID, baseURL: baseURL)
        var response = HTTPResponse(head: answer, requestID: requestID)
        response.headerFields[.contentLength] = String(answer.body.count)
        response.headerFields[.connection] = "close"
        response.headerFields[.date] = HTTPDate.format(clock.now())
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: answer.body))), promise: promise)
    }

    private static func problem(of fault: HTTPParserError) -> Problem {
        switch fault {
        case .headerOverflow:
            Problem(.headersTooLarge, "The request line or the headers are too large.")
        case .invalidMethod:
            Problem(.malformedRequest, "The request line does not begin with a method of HTTP/1.1.")
        case .invalidContentLength, .unexpectedContentLength:
            Problem(.malformedRequest, "Content-Length is no number, or is sent twice, or beside Transfer-Encoding.")
        case .invalidChunkSize:
            Problem(.malformedRequest, "The size of a chunk is no hexadecimal number.")
        case .invalidEOFState, .closedConnection:
            Problem(.malformedRequest, "The request breaks off in the middle.")
        default: Problem(.malformedRequest, "What was sent is not HTTP/1.1: \(fault).")
        }
    }
}
