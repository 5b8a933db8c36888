// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import Synchronization
import Web

extension TestShop {
    package static func encoded(_ fields: [String: String]) -> String {
        fields.sorted { $0.key < $1.key }
            .map { PercentEncoding.encode($0.key) + "=" + PercentEncoding.encode($0.value) }.joined(separator: "&")
    }

    package func form(_ path: String, _ fields: [String: String], headers: [String: String] = [:]) async throws -> Reply
    {
        var headers = headers
        headers["Content-Type"] = headers["Content-Type"] ?? "application/x-www-form-urlencoded"
        return try await send(.post, path, body: Array(Self.encoded(fields).utf8), headers: headers, key: "")
    }

    @discardableResult
    package func addUser(_ email: String = "ada@example.com", role: String = "owner") async throws -> Reply {
        try await post(
            "/v1/users",
            [
                "email": .string(email), "name": "Ada & Co <b>", "role": .string(role),
                "password": .string(TestBrowser.password),
            ])
    }
}

/// A browser without scripts: cookies, forms, redirections.
package final class TestBrowser: Sendable {
    package struct Refused: Error { let text: String }

    package static let password = "correct horse battery"

    private let shop: TestShop
    private let jar = Mutex<[String: String]>([:])

    package init(_ shop: TestShop) { self.shop = shop }

    /// One in which `email` is signed in.
    package static func signedIn(_ shop: TestShop, _ email: String = "ada@example.com") async throws -> TestBrowser {
        let browser = TestBrowser(shop)
        let answer = try await browser.signIn(email)
        guard answer.status == 303 else { throw TestBrowser.Refused(text: answer.text) }
        return browser
    }

    package func signIn(_ email: String, _ password: String = TestBrowser.password, then: String = "/account")
        async throws
        -> Reply
    {
        let page = try await get("/sign-in?again=1&then=" + PercentEncoding.encode(then))
        return try await submit(
            "/sign-in",
            ["email": email, "password": password, "then": then, "form_token": Self.hidden("form_token", page)])
    }

    package var cookies: [String: String] {
        get { jar.withLock { $0 } }
        set { jar.withLock { $0 = newValue } }
    }

    private var header: [String: String] {
        let pairs = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
        return pairs.isEmpty ? [:] : ["Cookie": pairs]
    }

    package func get(_ path: String) async throws -> Reply {
        keep(try await shop.send(.get, path, headers: header, key: ""))
    }

    package func submit(_ path: String, _ fields: [String: String], headers: [String: String] = [:]) async throws
        -> Reply
    {
        keep(try await shop.form(path, fields, headers: header.merging(headers) { $1 }))
    }

    private func keep(_ reply: Reply) -> Reply {
        guard let name = HTTPField.Name("Set-Cookie") else { return reply }
        for line in reply.headers[values: name] {
            let pair = line.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(String.init)
            jar.withLock { $0[pair[0]] = line.contains("Max-Age=0") ? nil : pair.dropFirst().first ?? "" }
        }
        return reply
    }

    /// Opens the page and allows what it asks.
    package func allow(_ address: String, decision: String = "allow") async throws -> Reply {
        let page = try await get(address)
        guard page.status == 200 else { return page }
        return try await submit(
            "/oauth/decision",
            [
                "form_token": Self.hidden("form_token", page), "request": Self.hidden("request", page),
                "decision": decision,
            ])
    }

    /// The value of a hidden field on a page.
    package static func hidden(_ name: String, _ page: Reply) -> String {
        let parts = page.text.components(separatedBy: "name=\"\(name)\" value=\"")
        guard parts.count > 1 else { return "" }
        return String(parts[1].prefix { $0 != "\"" }).replacing("&quot;", with: "\"").replacing("&amp;", with: "&")
    }
}
