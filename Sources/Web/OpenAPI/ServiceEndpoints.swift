// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The endpoints by which the API explains itself: its document, and a page for each kind of problem.
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
        let problems = Self.problems(of: described)
        let pages = [
            Endpoint.page("/problems", "listProblems", "All kinds of problems", contentType: "text/html; charset=utf-8")
            {
                (_: Call, _: NoBody) in Self.html("Problems", Self.list(problems))
            },
            Endpoint.page(
                "/problems/{slug}", "getProblem", "What a kind of problem means and what to do",
                contentType: "text/html; charset=utf-8"
            ) { (_: Call, parameters: ProblemPath) in
                guard let problem = problems.first(where: { $0.slug == parameters.slug }) else {
                    throw Problem(.notFound, "There is no kind of problem of that name.")
                }
                return Self.html(problem.title, Self.article(problem))
            },
        ]
        let all = described + pages + [changelog, deprecations(of: described)]
        return all + [document(of: all)]
    }

    /// The document as JSON text with a line for each value.
    package func text(describing described: [Endpoint]) -> String {
        let all = endpoints(describing: described)
        return OpenAPIDocument(endpoints: all, title: "Vitrine", version: version, server: server).json.prettyText
            + "\n"
    }

    private var changelog: Endpoint {
        Endpoint.page("/changelog", "getChangelog", "What changed from version to version", contentType: Self.htmlType)
        {
            (_: Call, _: NoBody) in Self.html("Changelog", Self.changelog(versions))
        }
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
        let json = OpenAPIDocument(endpoints: others + [make([])], title: "Vitrine", version: version, server: server)
            .json
        return make(Array(json.text.utf8))
    }

    private static func problems(of endpoints: [Endpoint]) -> [ProblemType] {
        var known: [ProblemType] = []
        for problem in ProblemType.common + endpoints.flatMap(\.problems) where !known.contains(problem) {
            known.append(problem)
        }
        return known.sorted { ($0.status, $0.slug) < ($1.status, $1.slug) }
    }

    private static let htmlType = "text/html; charset=utf-8"

    private static func changelog(_ versions: APIVersions) -> String {
        versions.releases.reversed().map { release in
            let lines = release.additions + release.changes.map(\.summary)
            return "<h2>\(release.version)</h2><ul>" + lines.map { "<li>\($0)</li>" }.joined() + "</ul>"
        }.joined()
            + "<p>A request says its version with <code>\(APIVersions.header)</code>; an app is pinned to one.</p>"
    }

    private static func list(_ problems: [ProblemType]) -> String {
        "<ul>" + problems.map { "<li>\($0.status) <a href=\"/problems/\($0.slug)\">\($0.title)</a></li>" }.joined()
            + "</ul>"
    }

    private static func article(_ problem: ProblemType) -> String {
        """
        <p>Status <b>\(problem.status)</b>, code <code>\(problem.code)</code></p><p>\(problem.explanation)</p>
        <p>\(problem.isRetryable ? "The same request may succeed later." : "The same request will fail again.")</p>
        <p><a href="/problems">All problems</a></p>
        """
    }

    private static func html(_ title: String, _ body: String) -> [UInt8] {
        Array(
            """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(title)</title>
            <meta name="viewport" content="width=device-width">
            <style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
            <h1>\(title)</h1>\(body)</html>

            """.utf8)
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

private struct ProblemPath: WireBody {
    let slug: String
    static let schema = Schema.object("ProblemPath", ProblemPath.init, .required("slug", \.slug, .string(1...100)))
}
