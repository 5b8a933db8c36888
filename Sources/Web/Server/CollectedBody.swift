// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Kernel
internal import Logging
internal import NIOCore
internal import Synchronization

/// A body that is collected where it is made, without a socket.
package final class CollectedBody: Sendable {
    private let buffer = Mutex(ByteBuffer())

    package init() {}

    package var bytes: [UInt8] { buffer.withLock { Array($0.readableBytesView) } }

    package var writer: some ResponseBodyWriter { Writer(body: self) }

    private struct Writer: ResponseBodyWriter {
        let body: CollectedBody

        mutating func write(_ buffer: ByteBuffer) async throws {
            body.buffer.withLock { _ = $0.writeImmutableBuffer(buffer) }
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }
}

/// The API as rooms of this process ask it: with everything that stands before it, and without a socket.
package struct InProcessAPI: Sendable {
    private let responder: any HTTPResponder<APIContext>
    private let authority: String
    private let logger: Logger

    /// `authority` is the host by which clients reach the API.
    package init(_ responder: some HTTPResponder<APIContext>, authority: String) {
        self.responder = responder
        self.authority = authority
        logger = Logger(label: "vitrine.in-process")
    }

    package struct Reply: Sendable {
        package let status: Int
        package let entityTag: String?
        package let body: [UInt8]
    }

    package func ask(
        _ method: Method, _ path: String, body: [UInt8]?, fields: [HeaderField]
    ) async throws -> Reply {
        var headers = HTTPFields()
        for field in fields {
            if let name = HTTPField.Name(field.name) { headers[name] = field.value }
        }
        if body != nil { headers[.contentType] = "application/json" }
        if method.changes { headers[.contentLength] = String(body?.count ?? 0) }
        let request = Request(
            head: HTTPRequest(
                method: HTTPRequest.Method(rawValue: method.rawValue) ?? .get, scheme: "http", authority: authority,
                path: path, headerFields: headers),
            body: RequestBody(buffer: ByteBuffer(bytes: body ?? [])))
        let response = try await responder.respond(to: request, context: APIContext(logger: logger))
        let collected = CollectedBody()
        try await response.body.write(collected.writer)
        return Reply(
            status: response.status.code, entityTag: response.headers[.eTag], body: collected.bytes)
    }
}
