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
        .page(
            document(shopName), status: status,
            policy: "style-src 'self'; img-src data:; form-action "
                + (["'self'"] + formTargets).joined(separator: " "), cookies: cookies)
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
}

/// The one file that pages load; its address changes with it, so that it can be kept.
enum PageStyle {
    static let bytes = PackageResources.pages_css
    static let path = "/oauth/style-\(RandomText.text(SHA256.hash(data: bytes).prefix(6))).css"

    static let response = WireResponse.file(bytes, "text/css; charset=utf-8")
}
