// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import HTTPTypes
package import Hummingbird
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
package import TLS
package import Telemetry

/// OTLP over HTTP, in protobuf and JSON (OTLP specification, OTLP/HTTP): `/v1/traces`, `/v1/metrics` and `/v1/logs`.
package struct HTTPReceiver: Service {
    private let intake: Intake
    private let host: String
    private let port: Int
    private let certificates: Certificates?
    private let access: Intake.Access
    private let started: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - intake: What becomes of the requests.
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 takes a free one. 4318 is OTLP's.
    ///   - certificates: What it shows over TLS; plain HTTP without.
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
        let router = Router()
        for signal in Signal.allCases {
            router.post("/v1/\(signal.rawValue)") { request, _ in
                guard await access.check?(request.headers[.authorization]) ?? true else {
                    return Self.response(.unauthenticated, signal, Self.format(of: request) ?? .json)
                }
                return await Self.answer(request, signal, intake)
            }
        }
        var logger = Logger(label: "vitrine.otlp.http")
        logger.logLevel = .warning
        let application = Application(
            router: router,
            server: .http1(.init(idleTimeout: .seconds(60)), certificates),
            configuration: .init(
                address: .hostname(host, port: port), serverName: nil,
                availableConnectionsDelegate: .maximum(intake.limits.connectionsMax, logger: logger)),
            onServerRunning: { channel in await started(channel.localAddress?.port ?? port) },
            logger: logger)
        try await application.run()
    }

    /// Answers one request, for servers that have other things to answer, too.
    package static func answer(_ request: Request, _ signal: Signal, _ intake: Intake) async -> Response {
        guard let format = Self.format(of: request) else {
            return Self.response(
                .unsupportedMediaType, .json,
                ExportAnswers.status(
                    .invalidArgument, "Content-Type takes application/x-protobuf or application/json.", .json))
        }
        let encoding = request.headers[.contentEncoding]?.lowercased() ?? "identity"
        guard ["gzip", "identity"].contains(encoding) else {
            return Self.response(
                .unsupportedMediaType, format,
                ExportAnswers.status(.invalidArgument, "Content-Encoding takes gzip or identity.", format))
        }
        let arrival = intake.begin()
        do {
            let body = request.body
            let refusal = try await withTimeout(intake.limits.requestTimeout) { () async throws -> Intake.Answer? in
                for try await buffer in body {
                    if let refusal = arrival.append(buffer.readableBytesView) { return refusal }
                }
                return nil
            }
            if let refusal { return response(refusal, signal, format) }
        } catch is NoAnswer {
            var late = Self.response(
                .requestTimeout, format, ExportAnswers.status(.deadlineExceeded, "The body arrived too slowly.", format)
            )
            late.headers[.connection] = "close"
            return late
        } catch {
            return response(.malformed("The body was cut off."), signal, format)
        }
        return response(await arrival.finish(signal, format, isCompressed: encoding == "gzip"), signal, format)
    }

    private static func format(of request: Request) -> WireFormat? {
        let type = request.headers[.contentType]?.split(separator: ";").first.map {
            $0.trimmingCharacters(in: .whitespaces).lowercased()
        }
        switch type {
        case "application/x-protobuf": return .protobuf
        case "application/json": return .json
        default: return nil
        }
    }

    private static func response(_ answer: Intake.Answer, _ signal: Signal, _ format: WireFormat) -> Response {
        func refused(_ status: HTTPResponse.Status, _ code: GRPC.Code, _ message: String) -> Response {
            Self.response(status, format, ExportAnswers.status(code, message, format))
        }
        switch answer {
        case .taken(let refusal):
            return Self.response(.ok, format, ExportAnswers.response(refusal, signal, format))
        case .malformed(let reason): return refused(.badRequest, .invalidArgument, reason)
        case .tooLarge(let reason): return refused(.contentTooLarge, .resourceExhausted, reason)
        case .busy(let delay):
            var response = refused(.serviceUnavailable, .unavailable, "Too much is arriving. Come back later.")
            response.headers[.retryAfter] = String(max(1, delay.components.seconds))
            return response
        case .failed: return refused(.serviceUnavailable, .unavailable, "What was sent cannot be stored now.")
        case .unauthenticated:
            var response = refused(.unauthorized, .unauthenticated, ExportAnswers.tokenIsMissing)
            response.headers[.wwwAuthenticate] = "Bearer realm=\"otlp\""
            return response
        }
    }

    private static func response(_ status: HTTPResponse.Status, _ format: WireFormat, _ body: [UInt8]) -> Response {
        let type = format == .json ? "application/json" : "application/x-protobuf"
        return Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}
