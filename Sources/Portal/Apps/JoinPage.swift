// SPDX-License-Identifier: Apache-2.0

internal import Web

enum JoinPage {
    static func ask(_ visit: Visit, key: String) -> PortalPage {
        PortalPage(
            title: "Join an organisation",
            body: """
                <section><p>Whoever gave you this link wants you in the organisation that their apps are of.</p>
                <form method="post" action="/developers/join">\(visit.token)<input type="hidden" name="key" value="\(key)">
                <button>Join</button></form></section>
                """)
    }

    static func refused(_ visit: Visit, _ trouble: String?) -> PortalPage {
        PortalPage(title: "Join an organisation", body: Notice.wrong(trouble), status: 422)
    }
}
