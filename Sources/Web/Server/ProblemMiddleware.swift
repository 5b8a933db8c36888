// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// Turns whatever is thrown into a problem document, and logs what is our fault. The outermost middleware.
package struct ProblemMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let baseURL: String
    private let versions: APIVersions

    package init(baseURL: String, versions: APIVersions) { (self.baseURL, self.versions) = (baseURL, versions) }

    package func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response = try await answer(request, context, next)
        for field in context.signals.quota {
            guard let name = HTTPField.Name(field.name) else { continue }
            response.headers[name] = field.value
        }
        return response
    }

    private func answer(
        _ request: Request, _ context: APIContext, _ next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPParserError {
            // The connection is lost in the middle of a body; it is answered by `BrokenRequestHandler` and closed.
            throw error
        } catch {
            let problem = Self.problem(of: error, request: request)
            context.signals.problem = problem.type.code
            if problem.type.status >= 500 {
                context.logger.error(
                    "request failed",
                    metadata: [
                        "request_id": "\(context.requestID)", "method": "\(request.method)",
                        "route": "\(context.endpointPath ?? "none")", "code": "\(problem.type.code)",
                        "error": "\(problem.cause.map { "\($0)" } ?? problem.detail)",
                    ])
            }
            var response = problem.response(requestID: context.requestID, baseURL: baseURL)
            response.headers += context.signals.endpoint?.deprecation ?? []
            if let version = version(of: request, context) {
                response.headers.append(HeaderField(APIVersions.header, version.description))
            }
            return Response(response, requestID: context.requestID, method: request.method)
        }
    }

    /// The one that would have been spoken; `nil` where there is none, or not the one that was asked for.
    private func version(of request: Request, _ context: APIContext) -> APIVersion? {
        guard context.signals.endpoint?.isVersioned == true else { return nil }
        return try? versions.asked(request.headers, pin: context.signals.principal?.apiVersion)
    }

    private static func problem(of error: any Error, request: Request) -> Problem {
        switch error {
        case let error as HTTPError where error.status == .notFound:
            Problem(.notFound, "There is no \(request.uri.path.prefix(200)) here.")
        case is NIOTooManyBytesError: Problem(.contentTooLarge, "The body is too large.")
        default: Problem(describing: error)
        }
    }
}

extension HTTPResponse {
    init(head response: WireResponse, requestID: String) {
        var headers = HTTPFields()
        headers.reserveCapacity(response.headers.count + 4)
        for field in response.headers {
            guard let name = HTTPField.Name(field.name) else { continue }
            headers.append(HTTPField(name: name, value: field.value))
        }
        if let name = HTTPField.Name("X-Request-Id") { headers.append(HTTPField(name: name, value: requestID)) }
        self.init(status: .init(code: response.status), headerFields: headers)
    }
}

extension Response {
    /// The answer as Hummingbird sends it; the answer to `HEAD` keeps the length and loses the bytes.
    init(_ response: WireResponse, requestID: String, method: HTTPRequest.Method) {
        let head = HTTPResponse(head: response, requestID: requestID)
        let hasNoBody = response.status == 204 || response.status == 304
        let body =
            method == .head || hasNoBody ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: response.body))
        self.init(status: head.status, headers: head.headerFields, body: body)
        if method == .head, !hasNoBody { self.headers[.contentLength] = String(response.body.count) }
    }
}
