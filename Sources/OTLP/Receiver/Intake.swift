// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization
package import Telemetry

/// What the receivers do with a request, whichever way it came: limits, gzip, decoding, and an answer that says what was taken.
package final class Intake: Sendable {
    /// What a handler did not take of a batch.
    package struct Refusal: Sendable {
        package var items: Int
        package var reason: String

        package static let none = Refusal(items: 0, reason: "")

        package init(items: Int, reason: String) {
            self.items = items
            self.reason = reason
        }
    }

    /// Thrown by a handler that can take nothing now.
    package struct Overload: Error {
        package var retryAfter: Duration

        package init(retryAfter: Duration) { self.retryAfter = retryAfter }
    }

    /// Returns once what it took is safe.
    package typealias Handler = @Sendable (SignalBatch) async throws -> Refusal

    /// Who may send.
    package struct Access: Sendable {
        /// Whether somebody may who says this in `Authorization`; `nil` where nobody is asked.
        let check: (@Sendable (String?) async -> Bool)?

        package static let everybody = Access(check: nil)

        package static func those(_ check: @escaping @Sendable (String?) async -> Bool) -> Access {
            Access(check: check)
        }
    }

    package struct Limits: Sendable {
        /// Of one request, before and after decompression. Default 64 MiB, which OTLP recommends.
        package var bodyBytesMax = 64 << 20
        /// Of all requests being received. Default 256 MiB; beyond it senders are asked to come back.
        package var bytesInFlightMax = 256 << 20
        /// What senders are told to wait.
        package var retryAfter = Duration.seconds(1)
        /// How long a request may take to arrive.
        package var requestTimeout = Duration.seconds(30)
        /// Connections at a time of each receiver; further ones are closed, or wait where they are HTTP.
        package var connectionsMax = 1_000

        package init() {}
    }

    enum Answer: Sendable {
        case taken(Refusal)
        case malformed(String)
        case tooLarge(String)
        case busy(retryAfter: Duration)
        case failed
        case unauthenticated
    }

    let limits: Limits
    private let handler: Handler
    private let bytesInFlight = Mutex(0)

    package init(_ limits: Limits = Limits(), _ handler: @escaping Handler) {
        self.limits = limits
        self.handler = handler
    }

    /// The body of one request as it arrives. Its bytes count until it is done.
    func begin() -> Arrival { Arrival(intake: self) }

    /// The only way to hold bytes of a request. They count as long as this lives.
    final class Arrival: Sendable {
        private let intake: Intake
        private let state = Mutex<(body: [UInt8], reserved: Int)>(([], 0))

        fileprivate init(intake: Intake) { self.intake = intake }

        deinit { intake.release(state.withLock { $0.reserved }) }

        /// - Returns: `nil` if they were taken; else what to answer.
        func append(_ bytes: some Collection<UInt8>) -> Answer? {
            state.withLock { state in
                guard state.body.count + bytes.count <= intake.limits.bodyBytesMax else { return intake.tooLarge }
                guard intake.reserve(bytes.count) else { return .busy(retryAfter: intake.limits.retryAfter) }
                state.reserved += bytes.count
                state.body += bytes
                return nil
            }
        }

        /// Takes gRPC's prefix off the only message.
        ///
        /// - Returns: Whether the message is compressed; `nil` where it is not one whole message.
        func unframe() -> Bool? {
            state.withLock { state in
                guard let message = GRPC.message(in: state.body) else { return nil }
                state.body = message.bytes
                return message.isCompressed
            }
        }

        /// Takes it apart and hands it on. Called once.
        func finish(_ signal: Signal, _ format: WireFormat, isCompressed: Bool) async -> Answer {
            var bytes = state.withLock { state in
                defer { state.body = [] }
                return state.body
            }
            if isCompressed {
                do throws(Gzip.Failure) {
                    bytes = try Gzip.decompress(bytes, bytesMax: intake.limits.bodyBytesMax)
                } catch {
                    switch error {
                    case .tooLarge: return intake.tooLarge
                    case .notGzip: return .malformed("The body is not gzip, as its headers say.")
                    }
                }
                guard intake.reserve(bytes.count) else { return .busy(retryAfter: intake.limits.retryAfter) }
                state.withLock { $0.reserved += bytes.count }
            }
            return await intake.take(bytes, signal, format)
        }
    }

    private func take(_ body: [UInt8], _ signal: Signal, _ format: WireFormat) async -> Answer {
        let decoded: SignalDecoder.Result
        do throws(WireError) { decoded = try SignalDecoder.decode(body, signal, format) } catch {
            switch error {
            case .malformed: return .malformed(error.message)
            case .tooLarge(let reason): return .tooLarge(reason)
            }
        }
        var refusal = Refusal(items: decoded.rejected, reason: decoded.reason)
        if decoded.batch.count > 0 {
            do {
                let own = try await handler(decoded.batch)
                refusal.items += own.items
                if refusal.reason.isEmpty { refusal.reason = own.reason }
            } catch let overload as Overload {
                return .busy(retryAfter: overload.retryAfter)
            } catch {
                return .failed
            }
        }
        return .taken(refusal)
    }

    private var tooLarge: Answer {
        .tooLarge(
            "A request may have \(limits.bodyBytesMax) bytes, before and after decompression. Send smaller batches.")
    }

    /// Whether requests are arriving or being worked on.
    var isAtWork: Bool { bytesInFlight.withLock { $0 > 0 } }

    private func reserve(_ count: Int) -> Bool {
        bytesInFlight.withLock { bytes in
            guard bytes + count <= limits.bytesInFlightMax else { return false }
            bytes += count
            return true
        }
    }

    private func release(_ count: Int) { bytesInFlight.withLock { $0 -= count } }
}
