// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

enum NewAppPage {
    static func page(_ visit: Visit, trouble: String?) -> PortalPage {
        let organization = visit["organization"] ?? visit.query["organization"] ?? ""
        // What was sent stands there again, so that nobody writes it twice.
        let isPublic = visit["type"] == "public"
        let sent = JSON.object(AppForm.body(of: visit.form))
        return PortalPage(
            title: "Register an app",
            body: """
                \(Notice.wrong(trouble))<section><form method="post" action="/developers/apps">\(visit.token)
                <input type="hidden" name="organization" value="\(organization)">
                <fieldset><legend>Where it runs</legend>
                <label class="tick"><input type="radio" name="type" value="confidential"\(isPublic ? "" : " checked")> On a server of yours, which keeps a
                secret</label>
                <label class="tick"><input type="radio" name="type" value="public"\(isPublic ? " checked" : "")> In a browser or on a device, whose owner can read
                it</label></fieldset>
                \(AppForm.fields(of: sent))<button>Register it</button></form></section>
                """, status: trouble == nil ? 200 : 422)
    }
}
