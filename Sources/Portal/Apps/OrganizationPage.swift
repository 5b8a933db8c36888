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
        return PortalPage(
            title: organization["name"]?.string ?? "",
            body: """
                \(Notice.wrong(trouble))\(link)
                <section><h2>Members</h2><ul class="rows">\(members.map { row($0, address) })</ul>
                \(isOwner ? invitationForm(address) : "")</section>
                """, status: trouble == nil ? 200 : 422)
    }

    /// Whoever works in the shop looks after all of them.
    private var isOwner: Bool {
        guard let person = visit.visitor.person, person.principal.partner != nil else { return true }
        return members.contains { $0["email"]?.string == person.email && $0["role"] == "owner" }
    }

    private func row(_ member: JSON, _ address: String) -> HTML {
        let (name, email) = (member["name"]?.string ?? "", member["email"]?.string ?? "")
        let user: HTML = "<input type=\"hidden\" name=\"user\" value=\"\(member["user_id"]?.string ?? "")\">"
        let isOwn = visit.visitor.person?.email == email
        let change: HTML = """
            <form method="post" action="\(address)/members">\(visit.token)\(user)
            <label><span>What \(name) is</span><select name="role">\(Self.roles(member["role"]?.string))</select></label>
            <button class="plain small">Change</button></form>
            """
        let end: HTML = """
            <form method="post" action="\(address)/members/remove">\(visit.token)\(user)
            <button class="plain small">\(isOwn ? "Leave" : "Take out")</button></form>
            """
        return """
            <li><span>\(name) <span class="quiet">\(email), \(member["role"]?.string ?? "")</span></span>
            \(isOwner ? change : "")\(isOwner || isOwn ? end : "")</li>
            """
    }

    private func invitationForm(_ address: String) -> HTML {
        """
        <form method="post" action="\(address)/invitations">\(visit.token)
        <label><span>Somebody new is to be</span><select name="role">\(Self.roles("member"))</select></label>
        <button>Make an invitation</button></form>
        """
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
