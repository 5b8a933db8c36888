// SPDX-License-Identifier: Apache-2.0

internal import Web

enum StalePage {
    static let page = PortalPage(
        title: "This page is out of date",
        body: "<p>It was open for too long, or belongs to another browser. Go back and try again.</p>", status: 403)
}

enum FaultPage {
    static let nothing = PortalPage(title: "There is nothing here", body: "", status: 404)

    /// What the API refused, under its own status.
    static func page(_ reply: ShopAPI.Reply) -> PortalPage {
        PortalPage(
            title: reply.status == 404 ? "There is nothing here" : "This cannot be shown",
            body: Notice.wrong(reply.trouble), status: reply.status)
    }
}
