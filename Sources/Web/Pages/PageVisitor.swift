// SPDX-License-Identifier: Apache-2.0

/// Who is in front of a browser, as the room that keeps sessions tells the rooms that show pages.
package struct PageVisitor: Sendable {
    package struct Person: Sendable {
        package let name: String
        package let email: String
        /// As whom the API is asked in their name.
        package let principal: Principal

        package init(name: String, email: String, principal: Principal) {
            self.name = name
            self.email = email
            self.principal = principal
        }
    }

    /// `nil` where nobody is signed in.
    package let person: Person?
    /// What each form of the page carries, so that no other site can send it (RFC 9700 section 4.7).
    package let formToken: String
    /// The form that was sent; `nil` where none was, or not by one of our own pages in this browser.
    package let form: Form?
    /// To be set with a page that has a form.
    package let cookies: [String]

    package init(person: Person?, formToken: String, form: Form?, cookies: [String]) {
        self.person = person
        self.formToken = formToken
        self.form = form
        self.cookies = cookies
    }
}

/// Finds out who is in front of the browser that sent a request.
package typealias RecogniseVisitor = @Sendable (Exchange) async throws -> PageVisitor

extension WireResponse {
    /// A page for people, with what browsers are told to forbid: nothing runs and nothing is loaded but what `policy` says, and
    /// nobody puts the page into a frame (RFC 9700 section 4.16).
    package static func page(
        _ document: HTML, status: Int = 200, policy: String, cookies: [String] = []
    ) -> WireResponse {
        WireResponse(
            status: status,
            headers: [
                HeaderField("Content-Type", "text/html; charset=utf-8"), HeaderField("Content-Language", "en"),
                HeaderField("Cache-Control", "no-store"),
                HeaderField(
                    "Content-Security-Policy",
                    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; " + policy),
                // For the few browsers that know no frame-ancestors.
                HeaderField("X-Frame-Options", "DENY"), HeaderField("X-Content-Type-Options", "nosniff"),
                // Our own forms say where they come from; other sites learn nothing.
                HeaderField("Referrer-Policy", "same-origin"),
            ] + cookies.map { HeaderField("Set-Cookie", $0) },
            body: Array(document.text.utf8))
    }

    /// Sends a browser on, with a request that has no body (RFC 9700 section 4.12).
    package static func seeOther(_ address: String, cookies: [String] = []) -> WireResponse {
        WireResponse(
            status: 303,
            headers: [
                HeaderField("Location", address), HeaderField("Cache-Control", "no-store"),
                HeaderField("Referrer-Policy", "same-origin"),
            ] + cookies.map { HeaderField("Set-Cookie", $0) })
    }

    /// A file that pages load. Its address changes with it, so that it can be kept.
    package static func file(_ bytes: [UInt8], _ type: String) -> WireResponse {
        WireResponse(
            status: 200,
            headers: [
                HeaderField("Content-Type", type), HeaderField("X-Content-Type-Options", "nosniff"),
                HeaderField("Cache-Control", "public, max-age=31536000, immutable"),
            ], body: bytes)
    }
}
