// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Hummingbird

/// Tells browsers what they would otherwise have to guess: that content is what it says it is, and, where the shop is reached by
/// https, that it is never reached otherwise (RFC 6797).
package struct SecurityHeadersMiddleware: RouterMiddleware {
    package typealias Context = APIContext

    private let fields: HTTPFields

    package init(baseURL: String) { fields = Self.fields(baseURL) }

    static func fields(_ baseURL: String) -> HTTPFields {
        var fields: HTTPFields = [.xContentTypeOptions: "nosniff"]
        if baseURL.hasPrefix("https:") { fields[.strictTransportSecurity] = "max-age=31536000" }
        return fields
    }

    package func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        for field in fields { response.headers[field.name] = field.value }
        return response
    }
}
