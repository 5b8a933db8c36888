// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// The endpoints by which the API explains itself: its document, and a page for each kind of problem.
package struct ServiceEndpoints: Sendable {
    private let version: String
    private let server: String

    package init(version: String, server: String) {
        self.version = version
        self.server = server
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
        return described + pages + [document(of: described + pages)]
    }

    /// The document as JSON text with a line for each value.
    package func text(describing described: [Endpoint]) -> String {
        let all = endpoints(describing: described)
        return OpenAPIDocument(endpoints: all, title: "Vitrine", version: version, server: server).json.prettyText
            + "\n"
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

private struct ProblemPath: WireBody {
    let slug: String
    static let schema = Schema.object("ProblemPath", ProblemPath.init, .required("slug", \.slug, .string(1...100)))
}
