// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import Kernel
internal import NIOCore
internal import NIOHTTP1
internal import Tracing

/// Forms out, JSON in.
struct StripeConnection {
    let address: String
    let secretKey: String

    /// The version of the API whose words ``StripeIntent`` reads.
    private static let version = "2025-03-31.basil"
    /// Nobody waits longer for one answer; the caller's own deadline cancels sooner.
    private static let timeMax = TimeAmount.seconds(8)
    private static let bodyBytesMax = 1 << 20
    /// One for the process. It does not trace: what it sends leaves the house, and trace context and baggage stay in it.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.tracing.tracer = nil
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    struct Answer {
        let status: Int
        let body: JSON
        /// `Retry-After` in seconds (RFC 9110 section 10.2.3), which is how Stripe says it.
        let retryAfter: Duration?

        var isSuccess: Bool { (200..<300).contains(status) }
        /// The request was understood and does not fit the state of things.
        var isRefusal: Bool { status == 400 || status == 404 }

        var fault: ProviderFault {
            switch status {
            // Another request is at work on the same object.
            case 409: .busy
            case 429, 503: .temporary(after: retryAfter)
            case 400..<500: .refused(body["error"]?["message"]?.string ?? "status \(status)")
            default: .noAnswer
            }
        }
    }

    func get(_ path: String) async throws -> Answer { try await send(.GET, path, nil, key: nil) }

    func post(_ path: String, _ form: [(name: String, value: String)], key: String? = nil) async throws -> Answer {
        try await send(.POST, path, form, key: key)
    }

    private func send(
        _ method: HTTPMethod, _ path: String, _ form: [(name: String, value: String)]?, key: String?
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: address + path)
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(secretKey)")
        request.headers.add(name: "Stripe-Version", value: Self.version)
        if let key { request.headers.add(name: "Idempotency-Key", value: key) }
        if let form {
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(Self.encoded(form))
        }
        return try await withSpan(method.rawValue, ofKind: .client) { span in
            span.attributes = [
                "http.request.method": .string(method.rawValue),
                "url.full": .string(String(request.url.prefix { $0 != "?" })),
                "server.address": .string(address),
            ]
            let answer = try await Self.exchange(request)
            span.attributes["http.response.status_code"] = answer.status
            // A client's span counts every refusal as an error (semantic conventions, HTTP spans, status).
            if answer.status >= 400 { span.setStatus(.init(code: .error)) }
            return answer
        }
    }

    private static func exchange(_ request: HTTPClientRequest) async throws -> Answer {
        do {
            let response = try await client.execute(request, timeout: timeMax)
            let bytes = try await response.body.collect(upTo: bodyBytesMax)
            let json = try? JSON.parse(Array(bytes.readableBytesView), depthMax: 32)
            let seconds = response.headers.first(name: "Retry-After").flatMap(Int.init)
            return Answer(
                status: Int(response.status.code), body: json ?? .null,
                retryAfter: seconds.map { .seconds(min(max(0, $0), 86_400)) })
        } catch {
            try Task.checkCancellation()
            throw ProviderFault.noAnswer
        }
    }

    /// `application/x-www-form-urlencoded` (URL Standard, section 5.2).
    private static func encoded(_ form: [(name: String, value: String)]) -> ByteBuffer {
        ByteBuffer(string: form.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: "&"))
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let scalar = UnicodeScalar(byte)
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", "*": escaped.unicodeScalars.append(scalar)
            case " ": escaped += "+"
            default: escaped += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return escaped
    }
}
