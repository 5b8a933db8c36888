// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Identity

/// The pages on which people sign in, as templates that a shop may replace.
struct PageTemplateTests {
    /// Closes an attribute and opens another, where quotation marks are looked for by what people count as characters.
    private static let mark = "x\"\u{301} onfocus=\"alert(1)\" <\u{338}b>&\u{301}"

    @Test func `what somebody writes stays text, with combining marks behind it, too`() async throws {
        try await TestShop.run { shop in
            let browser = TestBrowser(shop)
            let page = try await browser.signIn(Self.mark)
            #expect(page.status == 401)
            #expect(
                page.text.contains("value=\"x&quot;\u{301} onfocus=&quot;alert(1)&quot; &lt;\u{338}b&gt;&amp;\u{301}\"")
            )
        }
    }

    /// A folder with `files`, for as long as `test` takes.
    private func folder(_ files: [String: String], _ test: (String) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        for (name, text) in files {
            try Data(text.utf8).write(to: URL(filePath: directory.path + "/" + name))
        }
        try await test(directory.path)
    }

    @Test func `a shop's own templates and style stand in for the built-in ones`() async throws {
        let own = [
            "trouble.mustache": "{{#trouble}}<p class=\"ours\">{{.}}</p>{{/trouble}}",
            "pages.css": "main { color: teal }",
            ".notes": "no part of the pages",
        ]
        try await folder(own) { path in
            let templates = try PageTemplates(directory: path)
            try await TestShop.run(configure: { $0.identity.pages = templates }) { shop in
                let page = try await TestBrowser(shop).signIn("ada@example.com")
                #expect(page.text.contains("<p class=\"ours\">The mail address or the password is wrong.</p>"))
                #expect(page.text.contains("<h1>Sign in to Vitrine</h1>"))
                let style = try #require(page.text.firstMatch(of: #/href="(/oauth/style-[^"]*)"/#)?.1)
                #expect(try await TestBrowser(shop).get(String(style)).text == "main { color: teal }")
                #expect(String(style) != PageTemplates.builtIn.stylePath)
            }
        }
    }

    @Test(arguments: [
        (
            ["sign-im.mustache": ""],
            "/sign-im.mustache is no part of the pages, which are account.mustache, consent.mustache, "
        ),
        (["sign-in.mustache": "<p>\n{{#app}}</p>\n"], "/sign-in.mustache, line 3: "),
        (["device.mustache": "{{code"], "/device.mustache, line 1: overflow at “{{code”."),
        (["device.mustache": "{{>cod}}"], "/device.mustache names cod, which is no part of the pages."),
        (
            ["device.mustache": "{{<layuot}}{{/layuot}}"],
            "/device.mustache names layuot, which is no part of the pages."
        ),
        (["device.mustache": "{{>*code}}"], "/device.mustache names *code, which is no part of the pages."),
        (["wishes.mustache": "{{#granted}}{{> wishes }}{{/granted}}"], "/wishes.mustache is a part of itself: "),
        (["device.mustache": "<form method=\"post\"></form>"], "/device.mustache has a form without {{>form-token}}"),
    ])
    func `what is wrong with a shop's own is told`(files: [String: String], message: String) async throws {
        try await folder(files) { path in
            let failure = #expect(throws: Failure.self) { try PageTemplates(directory: path) }
            #expect(
                failure?.code == .misconfigured && failure?.message.contains(path + message) == true,
                "\(failure?.message ?? "")")
        }
        let missing = #expect(throws: Failure.self) { try PageTemplates(directory: "/nowhere") }
        #expect(missing?.message.contains("/nowhere") == true)
    }
}
