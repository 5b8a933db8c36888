// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// The form to try an operation: what it asks goes to the sandbox, from the browser.
struct Trial: Sendable {
    let operation: Operation
    /// The sandbox.
    let server: String
    let apps: TrialApps

    func html(_ tree: SchemaTree) -> HTML {
        """
        <section id="try"><h2>Try it in the sandbox</h2>
        <form data-try data-server="\(server)" data-method="\(operation.method)" data-path="\(operation.path)">
        \(credentials)\(fields(tree))\(body(tree))<button disabled>Send it</button></form>
        <noscript><p class="quiet">Trying it here needs a script; the command below does not.</p></noscript>
        <div id="answer" aria-live="polite"></div>
        <details><summary>As a command</summary><pre><code>\(command(tree))</code></pre></details></section>
        """
    }

    private var credentials: HTML {
        guard operation.scopes != nil else { return "" }
        return """
            <label><span>client_id</span><input name="client_id" value="\(apps.chosen?.id ?? "")" placeholder="app_…" required></label>
            <label><span>client_secret, of the sandbox</span><input name="client_secret" type="password" autocomplete="off"
            value="\(apps.chosen?.secret ?? "")" required></label>
            <p class="quiet">\(apps.others(at: "/developers/reference/" + operation.id))</p>
            """
    }

    private func fields(_ tree: SchemaTree) -> [HTML] {
        operation.parameters.map { parameter in
            let example = parameter.place == "path" ? tree.example(parameter.schema).string ?? "" : ""
            let value = parameter.name == "If-Match" ? "*" : ""
            return """
                <label><span>\(parameter.name) <span class="quiet">\(parameter.place)</span></span>
                <input data-place="\(parameter.place)" name="\(parameter.name)" placeholder="\(example)"
                value="\(value)"\(parameter.isRequired ? " required" as HTML : "")></label>
                """
        }
    }

    private func body(_ tree: SchemaTree) -> HTML {
        guard let body = operation.body else { return "" }
        return """
            <label><span>Body</span><textarea name="body" rows="8" spellcheck="false" data-type="\(body.contentType)"
            >\(tree.example(body.schema).prettyText)</textarea></label>
            """
    }

    private func command(_ tree: SchemaTree) -> String {
        var parts = ["curl \"\(server)\(operation.path)\""]
        if operation.method != "GET" { parts.append("--request \(operation.method)") }
        if operation.scopes != nil { parts.append("--header \"Authorization: Bearer $TOKEN\"") }
        parts += operation.parameters.filter { $0.place == "header" && $0.isRequired }.map {
            "--header '\($0.name): *'"
        }
        if let body = operation.body {
            parts.append("--header 'Content-Type: \(body.contentType)'")
            parts.append("--data '\(tree.example(body.schema).text)'")
        }
        return parts.joined(separator: " \\\n  ")
    }
}
