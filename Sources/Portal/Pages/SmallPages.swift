// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

enum NewAppPage {
    static func page(_ visit: Visit, trouble: String?) -> PortalPage {
        let organization = visit["organization"] ?? visit.query["organization"] ?? ""
        // What was sent stands there again, so that nobody writes it twice.
        let sent = JSON.object(AppForm.body(of: visit.form))
        return PortalPage(
            title: "Register an app",
            body: """
                \(Notice.wrong(trouble))<section><form method="post" action="/developers/apps">\(visit.token)
                <input type="hidden" name="organization" value="\(organization)">
                <fieldset><legend>Where it runs</legend>
                <label class="tick"><input type="radio" name="type" value="confidential" checked> On a server of yours, which keeps a
                secret</label>
                <label class="tick"><input type="radio" name="type" value="public"> In a browser or on a device, whose owner can read
                it</label></fieldset>
                \(AppForm.fields(of: sent))<button>Register it</button></form></section>
                """, status: trouble == nil ? 200 : 422)
    }
}

enum JoinPage {
    static func ask(_ visit: Visit, key: String) -> PortalPage {
        PortalPage(
            title: "Join an organisation",
            body: """
                <section><p>Whoever gave you this link wants you to manage apps together.</p>
                <form method="post" action="/developers/join">\(visit.token)<input type="hidden" name="key" value="\(key)">
                <button>Join</button></form></section>
                """)
    }

    static func refused(_ visit: Visit, _ trouble: String?) -> PortalPage {
        PortalPage(title: "Join an organisation", body: Notice.wrong(trouble), status: 422)
    }
}

enum StalePage {
    static let page = PortalPage(
        title: "This page is out of date",
        body: "<p>It was open for too long, or belongs to another browser. Go back and try again.</p>", status: 403)
}

enum FaultPage {
    /// What the API refused, under its own status.
    static func page(_ reply: ShopAPI.Reply) -> PortalPage {
        PortalPage(
            title: reply.status == 404 ? "There is nothing here" : "This cannot be shown",
            body: Notice.wrong(reply.trouble), status: reply.status)
    }
}
