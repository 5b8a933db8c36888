// SPDX-License-Identifier: Apache-2.0

internal import Web

/// From nothing to an order in the sandbox. The samples are run as they stand here, one after the other, in one shell.
struct StartPage: Sendable {
    let visit: Visit
    /// Of the sandbox, which the samples ask; `nil` where there is none.
    let server: String?
    let apps: TrialApps
    let isSignUpOpen: Bool

    var page: PortalPage {
        PortalPage(
            title: "Build something for \(visit.shopName)",
            body: """
                <section><p>One HTTP API holds the shop: products, stock, carts, orders and customers. An app of yours acts for
                itself in the sandbox, and for the shop or its customers where they let it.</p>
                <p>\(way)</p></section>
                \(guide)
                <section><h2>And then</h2><ul>
                <li>Every operation, with its fields, and a form to try it: <a href="/developers/reference">the reference</a>, or
                <a href="/v1/openapi.json">the same as OpenAPI 3.1</a> for generators of clients.</li>
                <li>To act for people, send them to <code>\(visit.home)/oauth/authorize</code> with PKCE;
                <a href="/.well-known/oauth-authorization-server">the metadata</a> says what is spoken.</li>
                <li>What can go wrong, each with what to do: <a href="/problems">the problems</a>.</li>
                <li>What changes, and how long it stays as it is for you: <a href="/changelog">the changelog</a>.</li></ul>
                </section>
                """)
    }

    private var way: HTML {
        guard isSignUpOpen else {
            return
                "The shop makes accounts for developers: ask it for one, and <a href=\"/developers/apps\">go to your apps</a>."
        }
        return """
            <a class="button" href="/sign-up?then=/developers/apps">Sign up</a>
            or <a href="/developers/apps">go to your apps</a>.
            """
    }

    private var guide: HTML {
        guard let server else {
            return """
                <section><h2>There is no sandbox here</h2><p>Ask the shop for one, in which nothing is anybody's: with it this page
                shows each step as a command.</p></section>
                """
        }
        return steps(server).enumerated().map(step).reduce("", +)
    }

    private struct Step {
        let title: String
        let text: HTML
        let sample: String
    }

    private func step(_ numbered: (offset: Int, element: Step)) -> HTML {
        let (number, step) = (numbered.offset + 1, numbered.element)
        return """
            <section id="step-\(number)"><h2>\(number). \(step.title)</h2><p>\(step.text)</p>
            <pre><code class="sample">\(step.sample)</code></pre></section>
            """
    }

    private func steps(_ server: String) -> [Step] { begin(server) + order }

    private func begin(_ server: String) -> [Step] {
        [
            Step(
                title: "Say which app you are",
                text: "\(whichApp)",
                sample: """
                    SERVER=\(server)
                    CLIENT_ID=\(apps.chosen?.id ?? "app_...")
                    CLIENT_SECRET=\(apps.chosen?.secret ?? "vs_...")
                    """),
            Step(
                title: "Get a token",
                text: """
                    A token is good for some minutes; get another when it is over. It can do what the app asks for: here that
                    should be <code>read:products</code>, <code>read:orders</code> and <code>write:orders</code>.
                    """,
                sample: """
                    TOKEN=$(curl --silent --fail-with-body "$SERVER/oauth/token" \\
                      --user "$CLIENT_ID:$CLIENT_SECRET" --data grant_type=client_credentials |
                      jq --raw-output .access_token)
                    """),
            Step(
                title: "Look around",
                text: """
                    Lists come in pages: <code>next</code> is the cursor of the following one. <code>expand</code> puts related things
                    inside, <code>fields</code> leaves out what you do not need.
                    """,
                sample: """
                    curl --silent --fail-with-body --header "Authorization: Bearer $TOKEN" \\
                      "$SERVER/v1/products?in_stock=true&limit=3&expand=variants" |
                      tee products.json | jq .
                    SKU=$(jq --raw-output '.items[0].variants[0].sku' products.json)
                    """),
        ]
    }

    private var order: [Step] {
        [
            Step(
                title: "Place an order, once",
                text: """
                    With an <code>Idempotency-Key</code> the same request can be sent again after a lost connection: the answer is
                    the first one's, and nobody pays twice. <code>sandbox_approve</code> is a card that always pays.
                    """,
                sample: """
                    order() {
                      curl --silent --fail-with-body --header "Authorization: Bearer $TOKEN" \\
                        "$@" "$SERVER/v1/orders" --json '{"currency": "GBP", "lines": [{"sku": "'"$SKU"'", "quantity": 1}],
                          "payment": {"card": "sandbox_approve"}}'
                    }
                    KEY=$(uuidgen || cat /proc/sys/kernel/random/uuid)
                    order --header "Idempotency-Key: $KEY" | jq --raw-output .number
                    order --header "Idempotency-Key: $KEY" | jq --raw-output .number
                    """),
            Step(
                title: "See it fail",
                text: """
                    What does not happen when you look, happens here when you ask for it. A problem is JSON, too: its
                    <code>type</code> is a page that says what to do, <code>code</code> is what a program looks at.
                    """,
                sample: """
                    order --no-fail-with-body --header "Vitrine-Simulate: payment=declined" |
                      jq '{status, code, detail}'
                    """),
        ]
    }

    private var whichApp: HTML {
        guard let chosen = apps.chosen else {
            return """
                <a href="/developers/apps">Register an app</a> on a server of yours; its page says what it is in the sandbox. Who is
                signed in finds it filled in here. The samples need <code>curl</code> and <code>jq</code>.
                """
        }
        return """
            This is \(chosen.name) in the sandbox. \(apps.others(at: "/developers"))
            The samples need <code>curl</code> and <code>jq</code>.
            """
    }
}
