// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// An organisation and who belongs to it.
struct OrganizationPage: Sendable {
    let visit: Visit
    let organization: JSON
    let members: [JSON]
    /// A link that has just been made.
    var invitation: String?
    var trouble: String?

    var page: PortalPage {
        let address = "/developers/organizations/" + (organization["id"]?.string ?? "")
        let rows = members.map { member -> HTML in
            """
            <li><span>\(member["name"]?.string ?? "") <span class="quiet">\(member["email"]?.string ?? ""),
            \(member["role"]?.string ?? "")</span></span>
            <form method="post" action="\(address)/members/remove">\(visit.token)
            <input type="hidden" name="user" value="\(member["user_id"]?.string ?? "")">
            <button class="plain small">Take out</button></form></li>
            """
        }
        return PortalPage(
            title: organization["name"]?.string ?? "",
            body: """
                \(Notice.wrong(trouble))\(link)
                <section><h2>Members</h2><ul class="rows">\(rows)</ul>
                <form method="post" action="\(address)/invitations">\(visit.token)
                <label><span>Somebody new is to be</span><select name="role">
                <option value="member">a developer, who manages apps</option>
                <option value="support">support, who sees what apps have asked</option>
                <option value="viewer">a viewer, who sees the apps</option>
                <option value="owner">an owner, who says who belongs to it, too</option></select></label>
                <button>Make an invitation</button></form></section>
                """, status: trouble == nil ? 200 : 422)
    }

    private var link: HTML {
        guard let invitation else { return "" }
        return """
            <section class="notice" role="status"><p>Pass this link on. It is shown only now, and good once, for seven days.</p>
            <p><code class="key">\(invitation)</code></p></section>
            """
    }
}
