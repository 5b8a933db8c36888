// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What can go wrong: a page for each kind of problem, at the address that is the problem's `type` (RFC 9457 section 3.1.1).
enum ProblemPages {
    static func list(_ problems: [ProblemType]) -> PortalPage {
        let rows = problems.map { problem -> HTML in
            """
            <li><a href="/problems/\(problem.slug)">\(problem.title)</a>
            <span class="quiet">\(problem.status) <code>\(problem.code)</code></span></li>
            """
        }
        return PortalPage(
            title: "Problems",
            body: """
                <section><p>Whatever does not succeed answers with a problem (RFC 9457). Programs look at <code>code</code>, which
                stays; <code>detail</code> is for people.</p><ul class="rows">\(rows)</ul></section>
                """)
    }

    /// The example's addresses begin with `baseURL`.
    static func page(_ problem: ProblemType, baseURL: String) -> PortalPage {
        PortalPage(
            title: problem.title,
            body: """
                <section><dl><dt>Status</dt><dd>\(problem.status)</dd><dt>Code</dt><dd><code>\(problem.code)</code></dd></dl>
                <p>\(Prose.html(problem.explanation))</p>
                <p>\(problem.isRetryable ? "The same request may succeed later." : "The same request will fail again.")</p></section>
                \(example(problem, baseURL))<p><a href="/problems">All problems</a></p>
                """)
    }

    private static func example(_ problem: ProblemType, _ baseURL: String) -> HTML {
        guard let example = ProblemExamples.all[problem.slug] else { return "" }
        let response = example.problem(of: problem).response(
            requestID: "req_01k9x3c5v8q2e6m4n7p0r1s2t3", baseURL: baseURL)
        let fields = response.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
        let body = (try? JSON.parse(response.body))?.prettyText ?? ""
        return """
            <section><h2>An example</h2><pre><code>HTTP/1.1 \(problem.status)
            \(fields)

            \(body)</code></pre></section>
            """
    }

    static let unknown = PortalPage(
        title: "There is no such problem", body: "<p><a href=\"/problems\">All problems</a></p>", status: 404)
}

/// Text with `code` in it.
enum Prose {
    static func html(_ text: String) -> HTML {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
        return parts.enumerated().reduce("" as HTML) { html, part in
            html + (part.offset % 2 == 1 ? "<code>\(part.element)</code>" : "\(part.element)")
        }
    }
}
