// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Whose apps there are: each organisation with its apps, and the forms that make more.
struct AppsPage: Sendable {
    let visit: Visit
    let organizations: [JSON]
    let apps: [JSON]
    var trouble: String?

    var page: PortalPage {
        PortalPage(
            title: "Your apps",
            body: """
                \(Notice.wrong(trouble))\(organizations.map(section))
                <section><h2>\(organizations.isEmpty ? "Begin with an organisation" : "Another organisation")</h2>
                <p class="quiet">Apps belong to an organisation, and so to everybody in it.</p>
                <form method="post" action="/developers/organizations">\(visit.token)
                <label><span>Its name</span><input name="name" required maxlength="100"></label>
                <button>Make it</button></form></section>
                """, status: trouble == nil ? 200 : 422)
    }

    private func section(_ organization: JSON) -> HTML {
        let id = organization["id"]?.string ?? ""
        let own = apps.filter { $0["organization_id"]?.string == id }
        let rows = own.map { app -> HTML in
            """
            <li><a href="/developers/apps/\(app["id"]?.string ?? "")">\(app["name"]?.string ?? "")</a>
            <code>\(app["id"]?.string ?? "")</code></li>
            """
        }
        return """
            <section><h2><a href="/developers/organizations/\(id)">\(organization["name"]?.string ?? "")</a></h2>
            \(own.isEmpty ? "<p class=\"quiet\">It has no apps yet.</p>" : "<ul class=\"rows\">\(rows)</ul>")
            <p><a class="button" href="/developers/apps/new?organization=\(id)">Register an app</a></p></section>
            """
    }
}

enum Notice {
    static func wrong(_ text: String?) -> HTML {
        text.map { "<p class=\"notice wrong\" role=\"alert\">\($0)</p>" } ?? ""
    }

    static func done(_ text: String?) -> HTML {
        text.map { "<p class=\"notice\" role=\"status\">\($0)</p>" } ?? ""
    }
}
