// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What is new in each version, and what is on its way out.
enum ChangelogPage {
    static func page(_ description: APIDescription) -> PortalPage {
        PortalPage(
            title: "Changelog",
            body: """
                \(description.versions.releases.reversed().map(section))
                <section id="deprecations"><h2>On its way out</h2>\(leaving(description.leaving))
                <p>Answers of such an operation say so in <code>Deprecation</code> and <code>Sunset</code>, and
                <code>GET /v1/me/deprecations</code> tells an app which of them it calls.</p></section>
                <section><h2>Which version you get</h2><p>A request says its version with <code>\(APIVersions.header)</code> or in
                <code>Accept</code>; else it is the one that the app is pinned to. What is older than the latest is made from it, for as
                long as it is served.</p></section>
                """)
    }

    private static func section(_ release: APIRelease) -> HTML {
        let lines = (release.additions + release.changes.map(\.summary)).map { line -> HTML in
            "<li>\(Prose.html(line))</li>"
        }
        return "<section><h2>\(release.version.description)</h2><ul>\(lines)</ul></section>"
    }

    private static func leaving(_ operations: [APIDescription.Leaving]) -> HTML {
        guard !operations.isEmpty else { return "<p>Nothing is.</p>" }
        let rows = operations.map { operation -> HTML in
            let end: HTML = operation.deprecation.sunset.map { ", gone on \($0.day)" } ?? ""
            return """
                <li><code>\(operation.method.rawValue) \(operation.path)</code>
                <span>since \(operation.deprecation.since.day)\(end):
                <a href="\(operation.deprecation.guide)">what to do instead</a></span></li>
                """
        }
        return "<ul class=\"rows\">\(rows)</ul>"
    }
}

extension Timestamp {
    fileprivate var day: String { String(rfc3339.prefix(10)) }
}
