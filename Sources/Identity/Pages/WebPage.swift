// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel
internal import Web

/// A page for people, with what browsers are told to forbid.
struct WebPage: Sendable {
    let title: String
    let body: HTML
    var isWide = false
    /// Where forms may lead beside this shop: browsers hold redirections after a form to this, too.
    var formTargets: [String] = []

    func response(_ status: Int = 200, shopName: String, cookies: [String] = []) -> WireResponse {
        WireResponse(
            status: status,
            headers: [
                HeaderField("Content-Type", "text/html; charset=utf-8"), HeaderField("Content-Language", "en"),
                HeaderField("Cache-Control", "no-store"),
                HeaderField("Content-Security-Policy", policy),
                // For the few browsers that know no frame-ancestors.
                HeaderField("X-Frame-Options", "DENY"), HeaderField("X-Content-Type-Options", "nosniff"),
                // Our own forms say where they come from; other sites learn nothing.
                HeaderField("Referrer-Policy", "same-origin"),
            ] + cookies.map { HeaderField("Set-Cookie", $0) },
            body: Array(document(shopName).text.utf8))
    }

    /// Nothing runs and nothing is loaded but our own style; nobody puts the page into a frame (RFC 9700 section 4.16).
    private var policy: String {
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action "
            + (["'self'"] + formTargets).joined(separator: " ")
    }

    private func document(_ shopName: String) -> HTML {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(title) · \(shopName)</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex"><link rel="icon" href="data:,">
        <link rel="stylesheet" href="\(PageStyle.path)"></head>
        <body><main\(isWide ? " class=\"wide\"" as HTML : "")><p class="shop"><span aria-hidden="true">◫</span> \(shopName)</p>
        \(body)</main></body></html>

        """
    }

    /// Sends a browser on, with a request that has no body (RFC 9700 section 4.12).
    static func redirect(to address: String, cookies: [String] = []) -> WireResponse {
        WireResponse(
            status: 303,
            headers: [
                HeaderField("Location", address), HeaderField("Cache-Control", "no-store"),
                HeaderField("Referrer-Policy", "same-origin"),
            ] + cookies.map { HeaderField("Set-Cookie", $0) })
    }
}

/// The one file that pages load; its address changes with it, so that it can be kept.
enum PageStyle {
    static let bytes = PackageResources.pages_css
    static let path = "/oauth/style-\(RandomText.text(SHA256.hash(data: bytes).prefix(6))).css"

    static let response = WireResponse(
        status: 200,
        headers: [
            HeaderField("Content-Type", "text/css; charset=utf-8"), HeaderField("X-Content-Type-Options", "nosniff"),
            HeaderField("Cache-Control", "public, max-age=31536000, immutable"),
        ], body: bytes)
}
