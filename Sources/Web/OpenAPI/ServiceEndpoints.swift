// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The endpoints by which the API explains itself: its document, and to each client what of it is on its way out.
package struct ServiceEndpoints: Sendable {
    private let version: String
    private let server: String
    private let versions: APIVersions

    package init(version: String, server: String, versions: APIVersions) {
        self.version = version
        self.server = server
        self.versions = versions
    }

    /// All endpoints of a server: `described`, and those that explain them.
    package func endpoints(describing described: [Endpoint]) -> [Endpoint] {
        let all = described + [deprecations(of: described), requests]
        return all + [document(of: all)]
    }

    /// The document as JSON text with a line for each value.
    package func text(describing described: [Endpoint]) -> String {
        document(describing: endpoints(describing: described)).prettyText + "\n"
    }

    /// What is told of `described` to people.
    package func description(of described: [Endpoint]) -> APIDescription {
        let all = endpoints(describing: described)
        return APIDescription(document: document(describing: all), endpoints: all, versions: versions)
    }

    private func document(describing endpoints: [Endpoint]) -> JSON {
        OpenAPIDocument(endpoints: endpoints, title: "Vitrine", version: version, server: server, versions: versions)
            .json
    }

    /// What an app has asked, for itself. In somebody's name it could be anybody who reads it, where the app is public.
    private var requests: Endpoint {
        .list("/v1/me/requests", "listOwnRequests", "What this app has asked, and what came of it, for thirty days") {
            (call: Call, query: RequestLogQuery) in
            guard let principal = call.principal, principal.user == nil else {
                throw Problem(.insufficientScope, "An app reads this for itself (client_credentials).")
            }
            return try await call.requests(of: principal.client, query)
        }.anyKey().uncached()
    }

    /// What a client calls that is on its way out.
    private func deprecations(of described: [Endpoint]) -> Endpoint {
        let leaving = described.filter { $0.deprecation != nil }
        return .get(
            "/v1/me/deprecations", "listOwnDeprecations", "What you call that is on its way out, and until when"
        ) {
            (call: Call, _: NoBody) in
            guard let principal = call.principal else { throw Problem(.unauthenticated, "This needs an API key.") }
            let uses = try await call.services.deprecated.uses(by: principal.client)
            return .ok(
                DeprecationsBody(
                    versions: versions.releases.map(\.version.description),
                    pinned: principal.apiVersion,
                    deprecations: leaving.compactMap { endpoint in
                        guard let deprecation = endpoint.deprecation, let use = uses[endpoint.operationID] else {
                            return nil
                        }
                        return DeprecationBody(
                            operation: endpoint.operationID, method: endpoint.method.rawValue, path: endpoint.path,
                            since: deprecation.since, sunset: deprecation.sunset, guide: deprecation.guide,
                            calls: use.count, lastCalledAt: use.lastAt)
                    }))
        }.anyKey().forCustomers(.all).uncached()
    }

    private func document(of others: [Endpoint]) -> Endpoint {
        func make(_ bytes: [UInt8]) -> Endpoint {
            Endpoint.page(
                "/v1/openapi.json", "getOpenAPI", "This API as an OpenAPI 3.1 document", contentType: "application/json"
            ) { (_: Call, _: NoBody) in bytes }
        }
        // The document describes its own address, too, which does not depend on its bytes.
        return make(Array(document(describing: others + [make([])]).text.utf8))
    }
}

private struct DeprecationBody: WireBody {
    let operation: String
    let method: String
    let path: String
    let since: Timestamp
    let sunset: Timestamp?
    let guide: String
    let calls: Int
    let lastCalledAt: Timestamp

    static let schema = Schema.object(
        "Deprecation", DeprecationBody.init,
        .required("operation_id", \.operation, .string()), .required("method", \.method, .string()),
        .required("path", \.path, .string()), .required("deprecated_since", \.since, .timestamp),
        .optional("sunset", \.sunset, .timestamp, "When it will be gone."),
        .required("guide", \.guide, .string(), "What to do instead."),
        .required("calls", \.calls, .count, "By this client, ever."),
        .required("last_called_at", \.lastCalledAt, .timestamp))
}

private struct DeprecationsBody: WireBody {
    let versions: [String]
    let pinned: String?
    let deprecations: [DeprecationBody]

    static let schema = Schema.object(
        "Deprecations", DeprecationsBody.init,
        .required("versions", \.versions, .array(of: .string()), "That are served, oldest first."),
        .optional("pinned", \.pinned, .string(), "What this client gets where it says nothing; else the oldest."),
        .required("deprecations", \.deprecations, .array(of: DeprecationBody.schema)))
}
