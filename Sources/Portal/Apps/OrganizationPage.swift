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
            <li><span>\(member["name"]?.string ?? "") <span class="quiet">\(member["email"]?.string ?? "")</span></span>
            <form method="post" action="\(address)/members">\(visit.token)
            <input type="hidden" name="user" value="\(member["user_id"]?.string ?? "")">
            <label><span>What \(member["name"]?.string ?? "") is</span><select name="role">\(Self.roles(member["role"]?.string))</select></label>
            <button class="plain small">Change</button></form>
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
                <label><span>Somebody new is to be</span><select name="role">\(Self.roles("member"))</select></label>
                <button>Make an invitation</button></form></section>
                """, status: trouble == nil ? 200 : 422)
    }

    private static func roles(_ chosen: String?) -> [HTML] {
        [
            ("member", "a developer, who manages apps"), ("support", "support, who sees what apps have asked"),
            ("viewer", "a viewer, who sees the apps"), ("owner", "an owner, who says who belongs to it, too"),
        ].map { value, meaning in
            "<option value=\"\(value)\"\(value == chosen ? " selected" as HTML : "")>\(meaning)</option>"
        }
    }

    private var link: HTML {
        guard let invitation else { return "" }
        return """
            <section class="notice" role="status"><p>Pass this link on. It is shown only now, and good once, for seven days.</p>
            <p><code class="key">\(invitation)</code></p></section>
            """
    }
}
