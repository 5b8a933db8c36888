// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Kernel
internal import NIOCore
package import Resilience

/// Does faults to requests, after it is known whose they are: the edge `endpoint`, by `route`, `app` and `header.NAME`.
package struct FaultMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let faults: FaultInjector
    private let endpoint: Endpoint
    private let route: String

    package init(_ faults: FaultInjector, endpoint: Endpoint) {
        self.faults = faults
        self.endpoint = endpoint
        route = "\(endpoint.method.rawValue.uppercased()) \(endpoint.path)"
    }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // A body that was read cannot be read again, so that what is lost is the answer and not the request.
        try await Deadline.$current.withValue(.after(Preference.timeMax(of: endpoint, request.headers))) {
            try await faults.run(
                at: "endpoint", facts: facts(of: request, context),
                refusal: { Problem(.unavailable, "A fault that is made on purpose: \($0.name).") },
                alter: altered,
                { try await next(request, context) })
        }
    }

    private func altered(by fault: Fault, _ response: Response) -> Response {
        var response = response
        let (body, length) = (response.body, response.body.contentLength)
        response.body = ResponseBody(contentLength: length) { [faults] in
            try await body.write(FaultyWriter(to: $0, fault, of: faults))
        }
        return response
    }

    private func facts(of request: Request, _ context: APIContext) -> [String: String] {
        var facts = ["route": route, "app": context.principal?.id ?? ""]
        for field in request.headers { facts["header.\(field.name.canonicalName)"] = field.value }
        return facts
    }
}

/// Writes a body slowly, or as bytes that mean nothing.
private struct FaultyWriter: ResponseBodyWriter {
    private var writer: any ResponseBodyWriter
    private let fault: Fault
    private let faults: FaultInjector

    init(to writer: any ResponseBodyWriter, _ fault: Fault, of faults: FaultInjector) {
        (self.writer, self.fault, self.faults) = (writer, fault, faults)
    }

    mutating func write(_ buffer: ByteBuffer) async throws {
        if let (count, pause) = fault.trickle { return try await trickle(buffer, count, pause) }
        let isWrong = fault.kind == .wrong
        try await writer.write(isWrong ? ByteBuffer(bytes: buffer.readableBytesView.map { ~$0 }) : buffer)
    }

    private mutating func trickle(_ buffer: ByteBuffer, _ count: Int, _ pause: Duration) async throws {
        var rest = buffer
        while rest.readableBytes > count {
            // A long pause ends with the fault, and what is left comes at once.
            let left = faults.left(of: fault)
            guard left > .zero, let part = rest.readSlice(length: count) else { break }
            try await Task.sleep(for: min(pause, left))
            try await writer.write(part)
        }
        try await Task.sleep(for: min(pause, faults.left(of: fault)))
        try await writer.write(rest)
    }

    consuming func finish(_ trailers: HTTPFields?) async throws { try await writer.finish(trailers) }
}

/// Keeps faults from whoever is to end them: nothing of such a request meets one, from the look at its key on.
package struct FaultExemptMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    package init() {}

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        try await FaultInjector.$isExempt.withValue(true) { try await next(request, context) }
    }
}
