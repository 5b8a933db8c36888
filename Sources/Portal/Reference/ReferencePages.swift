// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// The reference, from the OpenAPI document: what there is, and a page for each operation.
struct ReferencePages: Sendable {
    private let operations: [Operation]
    private let tree: SchemaTree

    init(document: JSON) {
        operations = Operation.all(in: document)
        tree = SchemaTree(document: document)
    }

    func find(_ id: String) -> Operation? { operations.first { $0.id == id } }

    // MARK: All

    var list: PortalPage {
        var parts: [(name: String, operations: [Operation])] = []
        for operation in operations {
            if let place = parts.firstIndex(where: { $0.name == operation.part }) {
                parts[place].operations.append(operation)
            } else {
                parts.append((operation.part, [operation]))
            }
        }
        let contents = parts.map { part -> HTML in "<a href=\"#\(part.name)\">\(part.name)</a> " }
        let sections = parts.map { part -> HTML in
            "<section id=\"\(part.name)\"><h2>\(part.name)</h2><ul class=\"rows\">\(part.operations.map(row))</ul></section>"
        }
        return PortalPage(
            title: "Reference",
            body: """
                <section><p>Every operation of the API, as the server describes it itself:
                <a href="/v1/openapi.json">OpenAPI 3.1</a>.</p><p class="parts">\(contents)</p></section>\(sections)
                """)
    }

    private func row(_ operation: Operation) -> HTML {
        """
        <li><a href="/developers/reference/\(operation.id)">\(operation.summary)</a>
        <code class="quiet">\(operation.method) \(operation.path)</code></li>
        """
    }

    // MARK: One

    /// An operation, with what tries it where there is a sandbox.
    func page(_ operation: Operation, trial: Trial?) -> PortalPage {
        PortalPage(
            title: operation.summary,
            body: """
                <section><p><code class="key">\(operation.method) \(operation.path)</code></p>
                \(operation.isDeprecated ? "<p class=\"notice wrong\">It is on its way out; see the changelog.</p>" : "")
                <dl><dt>Who may</dt><dd>\(who(operation))</dd><dt>Cost</dt><dd>\(operation.cost) of your limit</dd>
                <dt>Name</dt><dd><code>\(operation.id)</code></dd></dl></section>
                \(parameters(operation))\(body(operation))\(trial?.html(tree) ?? "")\(answers(operation))
                <p><a href="/developers/reference#\(operation.part)">All operations</a></p>
                """, scriptAsks: trial?.server)
    }

    private func who(_ operation: Operation) -> HTML {
        guard let scopes = operation.scopes else { return "Anybody." }
        let customers: HTML = operation.isForCustomers ? " Customers, too, for what is theirs." : ""
        guard !scopes.isEmpty else { return "Any key or token.\(customers)" }
        return "Whoever has \(scopes.map { scope -> HTML in "<code>\(scope)</code>" }).\(customers)"
    }

    private func parameters(_ operation: Operation) -> HTML {
        guard !operation.parameters.isEmpty else { return "" }
        let rows = operation.parameters.map { parameter -> HTML in
            """
            <li><code>\(parameter.name)</code> <span class="quiet">\(parameter.place), \(tree.kind(parameter.schema))\(parameter.isRequired
                ? ", required" : "")</span> <span class="about">\(Prose.html(parameter.about))</span></li>
            """
        }
        return "<section><h2>Parameters</h2><ul class=\"fields\">\(rows)</ul></section>"
    }

    private func body(_ operation: Operation) -> HTML {
        guard let body = operation.body else { return "" }
        return """
            <section><h2>Body</h2><p class="quiet"><code>\(body.contentType)</code></p>\(tree.html(body.schema))
            <h3>An example</h3><pre><code>\(tree.example(body.schema).prettyText)</code></pre></section>
            """
    }

    private func answers(_ operation: Operation) -> HTML {
        let rows = operation.answers.map { answer -> HTML in
            let inner = answer.schema.map { tree.html($0) } ?? ""
            let head: HTML = "<code>\(answer.status)</code> \(Prose.html(answer.about))"
            guard !inner.isEmpty, answer.status.hasPrefix("2") else { return "<li>\(head)</li>" }
            return "<li><details><summary>\(head)</summary>\(inner)</details></li>"
        }
        return """
            <section><h2>Answers</h2><ul class="fields">\(rows)</ul>
            <p class="quiet">What each problem means: <a href="/problems">the problems</a>.</p></section>
            """
    }
}
