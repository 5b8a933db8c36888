// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Hummingbird
internal import Kernel
internal import NIOCore
internal import Web

/// Pages on their way, with what browsers are told to forbid.
enum PageResponse {
    /// Nothing but our own files: no text that got into a page can run, load or send anything.
    private static let policy =
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    /// A page that is sent as it is drawn, so that what takes long keeps nobody from what does not.
    static func page(
        _ page: Page, _ visit: Visit, _ request: Request, version: String, status: HTTPResponse.Status = .ok
    ) -> Response {
        html(request, status) { send in
            try await send(Frame.beginning(page, visit, version: version))
            try await page.eachSection { try await send(Frame.section($0, $1)) }
            try await send(Frame.ending(visit))
        }
    }

    static func html(_ html: HTML, _ request: Request) -> Response { Self.html(request, .ok) { try await $0(html) } }

    private typealias Send = (HTML) async throws -> Void

    private static func html(
        _ request: Request, _ status: HTTPResponse.Status, _ body: @escaping @Sendable (Send) async throws -> Void
    ) -> Response {
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        headers[.vary] = "Cookie, Accept-Encoding"
        // Charts and tables become a tenth.
        let isPacked = request.headers[.acceptEncoding]?.contains("gzip") == true
        if isPacked { headers[.contentEncoding] = "gzip" }
        return Response(
            status: status, headers: headers,
            body: .init { writer in
                let packer = isPacked ? Gzip.Stream() : nil
                guard !isPacked || packer != nil else {
                    throw Failure(.unavailable, "There is no memory to pack a page.")
                }
                try await body { html in
                    let bytes = Array(html.text.utf8)
                    try await writer.write(ByteBuffer(bytes: packer?.pack(bytes, isLast: false) ?? bytes))
                }
                if let packer { try await writer.write(ByteBuffer(bytes: packer.pack([], isLast: true))) }
                try await writer.finish(nil)
            })
    }

    static func json(_ json: JSON) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: json.text)))
    }

    /// Its address has the version in it.
    static func file(_ bytes: [UInt8], _ type: String) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: type, .cacheControl: "max-age=86400", .xContentTypeOptions: "nosniff"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func redirect(to address: String, cookie: String? = nil) -> Response {
        var headers: HTTPFields = [.location: address, .cacheControl: "no-store"]
        headers[.setCookie] = cookie
        return Response(status: .seeOther, headers: headers)
    }
}
