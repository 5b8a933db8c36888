// SPDX-License-Identifier: Apache-2.0

internal import Web

/// A page for developers.
struct PortalPage: Sendable {
    let title: String
    let body: HTML
    var status = 200
    /// The server that the page's script asks; `nil` where the page has none.
    var scriptAsks: String?

    /// The answer; a page that has a form sets `cookies`.
    func response(_ visit: Visit, cookies: [String]) -> WireResponse {
        let script = scriptAsks.map { "script-src 'self'; connect-src \($0); " } ?? ""
        return .page(
            document(visit), status: status, policy: script + "style-src 'self'; img-src data:; form-action 'self'",
            cookies: cookies)
    }

    private static let tabs = [
        ("/developers", "Start"), ("/developers/reference", "Reference"), ("/developers/apps", "Your apps"),
        ("/problems", "Problems"), ("/changelog", "Changelog"),
    ]

    private func document(_ visit: Visit) -> HTML {
        let links = Self.tabs.map { path, name -> HTML in
            let isHere = path == visit.path || (path != "/developers" && visit.path.hasPrefix(path + "/"))
            return "<a href=\"\(visit.home)\(path)\"\(isHere ? " aria-current=\"page\"" as HTML : "")>\(name)</a>"
        }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>\(title) · \(visit.shopName) for developers</title>
            <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
            <link rel="stylesheet" href="\(PortalStyle.path)">\(script)</head>
            <body><a class="skip" href="#content">To the content</a>
            <header><p class="shop"><span aria-hidden="true">◫</span> \(visit.shopName) for developers</p>
            <nav aria-label="Pages">\(links)</nav>\(account(visit))</header>
            <main id="content"><h1>\(title)</h1>
            \(body)</main></body></html>

            """
    }

    private var script: HTML {
        guard scriptAsks != nil else { return "" }
        return "<script src=\"\(PortalStyle.scriptPath)\" defer></script>"
    }

    private func account(_ visit: Visit) -> HTML {
        guard let person = visit.visitor.person else {
            return "<p class=\"who\"><a href=\"\(visit.home)/sign-in?then=/developers/apps\">Sign in</a></p>"
        }
        return "<p class=\"who\"><a href=\"\(visit.home)/account\">\(person.name)</a></p>"
    }
}

/// One look at a page: who looks, and at what.
struct Visit: Sendable {
    let path: String
    let query: Form
    let shopName: String
    /// What stands before the paths of the developers' pages: nothing but in a sandbox, where there are none.
    let home: String
    let visitor: PageVisitor

    /// The form that was sent, or an empty one.
    var form: Form { visitor.form ?? Form(fields: []) }

    subscript(name: String) -> String? { form[name] }

    /// What the address is about: the part behind the kind of thing.
    var subject: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? PercentEncoding.encode(String(parts[2])) : "-"
    }

    /// Carried by every form, so that no other site can send it.
    var token: HTML { "<input type=\"hidden\" name=\"form_token\" value=\"\(visitor.formToken)\">" }
}
