// SPDX-License-Identifier: Apache-2.0

internal import Web

/// What all pages have around them.
enum Frame {
    /// What comes before the sections: at once, whatever they take.
    static func beginning(_ page: Page, _ visit: Visit, version: String) -> HTML {
        """
        \(head(page.title, version))
        <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="bar">
        <a class="brand" href="\(visit.link("overview"))"><span aria-hidden="true">◫</span> Vitrine</a>
        <nav aria-label="Pages"><ul>\(Tab.allCases.map { tab($0, page, visit) })</ul></nav>
        </header>
        <main id="main"\(live(page, visit))>
        <div class="title"><h1>\(page.title)</h1>\(page.isLive ? windows(visit) : "")</div>
        \(page.controls)

        """
    }

    static func section(_ id: String, _ html: HTML) -> HTML { "<section id=\"\(id)\">\(html)</section>\n" }

    static func ending(_ visit: Visit) -> HTML {
        """
        </main>
        <footer class="foot"><span>Times are UTC.</span> \
        <span id="pulse" role="status"></span>\(signOut(visit))</footer>
        </body></html>
        """
    }

    static func head(_ title: String, _ version: String) -> HTML {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(title) · Vitrine</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">
        <link rel="icon" href="data:,"><link rel="stylesheet" href="/console/console.css?\(version)">
        <script src="/console/console.js?\(version)" defer></script></head>
        """
    }

    private static func tab(_ tab: Tab, _ page: Page, _ visit: Visit) -> HTML {
        let current: HTML = tab == page.tab ? " aria-current=\"page\"" : ""
        return "<li><a href=\"\(visit.link(tab.rawValue))\"\(current)>\(tab.title)</a></li>"
    }

    private static func live(_ page: Page, _ visit: Visit) -> HTML {
        page.isLive && visit.window.name != nil ? " data-stream=\"\(visit.again([("live", "1")]))\"" : ""
    }

    private static func windows(_ visit: Visit) -> HTML {
        let choices = TimeWindow.choices.map { name -> HTML in
            let current: HTML = name == visit.window.name ? " aria-current=\"true\"" : ""
            let address = visit.again([("range", name), ("from", nil), ("to", nil)])
            return "<a href=\"\(address)\"\(current)>\(name)</a>"
        }
        let fixed: HTML =
            visit.window.name == nil
            ? "<span class=\"chip\" aria-current=\"true\">\(visit.window.words)</span>" : ""
        return "<nav class=\"windows\" aria-label=\"Time\">\(fixed)\(choices)</nav>"
    }

    private static func signOut(_ visit: Visit) -> HTML {
        visit.client.token == nil
            ? "" : "<form method=\"post\" action=\"/console/logout\"><button class=\"plain\">Sign out</button></form>"
    }

    // MARK: Pieces

    static func table(_ caption: String, _ heads: [HTML], _ rows: [HTML], empty: HTML = "Nothing yet.") -> HTML {
        guard !rows.isEmpty else { return "<p class=\"empty\">\(empty)</p>" }
        return """
            <div class="scroll"><table><caption>\(caption)</caption><thead><tr>\(heads)</tr></thead>\
            <tbody>\(rows)</tbody></table></div>
            """
    }

    static func head(_ title: String, isNumber: Bool = false) -> HTML {
        isNumber ? "<th scope=\"col\" class=\"n\">\(title)</th>" : "<th scope=\"col\">\(title)</th>"
    }

    static func number(_ text: String, isBad: Bool = false) -> HTML {
        isBad ? "<td class=\"n bad\">\(text)</td>" : "<td class=\"n\">\(text)</td>"
    }

    static func select(_ name: String, _ label: String, _ chosen: String?, _ options: [(value: String, title: String)])
        -> HTML
    {
        let options = options.map { option -> HTML in
            let selected: HTML = option.value == (chosen ?? "") ? " selected" : ""
            return "<option value=\"\(option.value)\"\(selected)>\(option.title)</option>"
        }
        return "<label><span>\(label)</span><select name=\"\(name)\">\(options)</select></label>"
    }

    static func field(_ name: String, _ label: String, _ value: String?, hint: String = "", wide: Bool = false)
        -> HTML
    {
        """
        <label\(wide ? " class=\"wide\"" : "" as HTML)><span>\(label)</span><input name="\(name)" value="\(value ?? "")" \
        placeholder="\(hint)" autocomplete="off" spellcheck="false"></label>
        """
    }

    /// A form that asks for the same time.
    static func form(_ visit: Visit, _ fields: HTML) -> HTML {
        let hidden = visit.window.address.split(separator: "&").map { pair -> HTML in
            let parts = pair.split(separator: "=")
            return "<input type=\"hidden\" name=\"\(String(parts[0]))\" value=\"\(String(parts[1]))\">"
        }
        return """
            <form class="controls" action="\(visit.path)" role="search">\(hidden)\(fields)\
            <button>Show</button></form>
            """
    }

    /// A mark that tells services apart, and its name.
    static func service(_ name: String, _ visit: Visit) -> HTML {
        "<a class=\"service\" href=\"\(visit.link("services/\(name.pathEncoded)"))\">\(dot(name))\(name)</a>"
    }

    static func dot(_ name: String) -> HTML { dot(hue: "\(Hue.of(name))") }

    static func dot(hue: String) -> HTML {
        "<svg class=\"dot\" viewBox=\"0 0 8 8\" aria-hidden=\"true\"><circle class=\"f\(hue)\" cx=\"4\" cy=\"4\" r=\"4\"/></svg>"
    }

    /// A bar in a cell, as long as a share of it.
    static func bar(_ share: Double, hue: String = "0") -> HTML {
        let width = share.isFinite ? (min(1, max(0, share)) * 1_000).rounded() / 10 : 0
        return """
            <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">\
            <rect class="f\(hue)" width="\(String(width))" height="8"/></svg>
            """
    }
}

/// Which of eight colours something has: the same on all pages.
enum Hue {
    static func of(_ name: String) -> Int {
        Int(name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } % 8)
    }
}

extension String {
    /// As one piece of an address.
    var pathEncoded: String { PercentEncoding.encode(self) }
}
