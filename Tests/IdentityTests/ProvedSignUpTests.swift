// SPDX-License-Identifier: Apache-2.0

import Foundation
import Jobs
import Kernel
import Persistence
import Synchronization
import TestSupport
import Testing

@testable import Identity

/// Strangers who sign up where the shop can write to them.
struct ProvedSignUpTests {
    private final class Mailbox: Sendable {
        private let mails = Mutex<[Mail]>([])

        @Sendable func take(_ mail: Mail) async throws { mails.withLock { $0.append(mail) } }

        func mails(to recipient: String) -> [Mail] { mails.withLock { $0.filter { $0.recipient == recipient } } }
    }

    private struct Scene {
        let shop: TestShop
        let mailbox: Mailbox

        func signUp(_ email: String, _ changes: [String: String] = [:]) async throws -> Reply {
            let browser = TestBrowser(shop)
            let page = try await browser.get("/sign-up")
            let fields = [
                "form_token": TestBrowser.hidden("form_token", page), "name": "Ann", "email": email,
                "then": "/developers/apps",
            ].merging(changes) { $1 }
            let reply = try await browser.submit("/sign-up", fields)
            try await deliver()
            return reply
        }

        func deliver() async throws {
            for chore in shop.shop.schedules where chore.name == "mail.send" { try await chore.work() }
        }

        /// The address in the newest letter.
        func link(to email: String) throws -> String {
            let text = try #require(mailbox.mails(to: email).last?.text)
            let address = try #require(text.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("http") })
            return String(address.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" })
        }

        func choose(_ link: String, _ password: String = TestBrowser.password) async throws -> Reply {
            let browser = TestBrowser(shop)
            let page = try await browser.get(link)
            guard page.status == 200 else { return page }
            return try await browser.submit(
                "/sign-up/confirm",
                [
                    "form_token": TestBrowser.hidden("form_token", page), "key": TestBrowser.hidden("key", page),
                    "password": password,
                ])
        }
    }

    private func run(_ test: (Scene) async throws -> Void) async throws {
        let mailbox = Mailbox()
        try await TestShop.run(configure: { $0.sendMail = mailbox.take }) { shop in
            try await test(Scene(shop: shop, mailbox: mailbox))
        }
    }

    @Test func `whoever follows the link chooses a password and is a developer from outside`() async throws {
        try await run { scene in
            let asked = try await scene.signUp(" Ann@Example.com ")
            #expect(asked.status == 303 && asked.header("Location") == "/sign-up?sent=1")
            #expect(try await TestBrowser(scene.shop).get("/sign-up?sent=1").text.contains("mailbox"))
            #expect(try await scene.shop.get("/v1/users").items.isEmpty, "nothing is there before")
            let link = try scene.link(to: "ann@example.com")
            for _ in 0..<3 { #expect(try await TestBrowser(scene.shop).get(link).status == 200) }
            #expect(try await scene.choose(link, "short").status == 422)
            let chosen = try await scene.choose(link)
            #expect(chosen.header("Location") == "/sign-in?again=1&new=1&then=%2Fdevelopers%2Fapps")
            _ = try await TestBrowser.signedIn(scene.shop, "ann@example.com")
            #expect(try await scene.shop.get("/v1/users").items.first?["role"] == "partner")
            #expect(try await scene.choose(link, "another horse battery").status == 404, "it is good once")
        }
    }

    @Test func `what is answered is the same for every address, and only its mailbox learns more`() async throws {
        try await run { scene in
            try await scene.shop.addUser("ada@example.com", role: "owner")
            try await scene.shop.openAccount("cleo@example.com")
            _ = try await scene.signUp("bea@example.com")
            _ = try await scene.choose(scene.link(to: "bea@example.com"))
            var answers: Set<String> = []
            for email in ["new@example.com", "ada@example.com", "cleo@example.com", "bea@example.com"] {
                let answer = try await scene.signUp(email)
                answers.insert("\(answer.status) \(answer.header("Location") ?? "") \(answer.text)")
            }
            #expect(answers.count == 1)
            for email in ["ada@example.com", "cleo@example.com"] {
                let link = try scene.link(to: email)
                #expect(link == "/sign-in", "whoever is let in by the shop is not let in by us")
            }
        }
    }

    @Test func `whoever has lost the password of such an account chooses another, and all browsers sign in again`()
        async throws
    {
        try await run { scene in
            _ = try await scene.signUp("ann@example.com")
            _ = try await scene.choose(scene.link(to: "ann@example.com"))
            let browser = try await TestBrowser.signedIn(scene.shop, "ann@example.com")
            _ = try await scene.signUp("ann@example.com", ["name": "Somebody else"])
            let (link, other) = (try scene.link(to: "ann@example.com"), "another horse battery")
            _ = try await scene.signUp("ann@example.com")
            let later = try scene.link(to: "ann@example.com")
            #expect(try await scene.choose(link, other).status == 303)
            #expect(try await scene.choose(later, "a third horse battery").status == 404, "what changed ends all links")
            #expect(try await browser.get("/account").status == 303)
            #expect(try await TestBrowser(scene.shop).signIn("ann@example.com").status != 303)
            #expect(try await TestBrowser(scene.shop).signIn("ann@example.com", other).status == 303)
            #expect(try await scene.shop.get("/v1/users").items.map { $0["name"] } == ["Ann"])
        }
    }

    @Test func `links of others, of other days and of other shops are none`() async throws {
        try await run { scene in
            _ = try await scene.signUp("ann@example.com")
            let link = try scene.link(to: "ann@example.com")
            let (start, tag) = (link.prefix { $0 != "." }, link.drop { $0 != "." })
            let forged = [
                "/sign-up/confirm", "/sign-up/confirm?key=", "/sign-up/confirm?key=.", "\(start)\(tag.dropLast())",
                "\(link)A", link.replacing("key=", with: "key=A"), "\(start)", "\(start).",
            ]
            for address in forged { #expect(try await scene.choose(address).status == 404, "\(address)") }
            try await run { other in
                let status = try await other.choose(link).status
                #expect(status == 404)
            }
            scene.shop.clock.advance(by: .seconds(86_401))
            #expect(try await scene.choose(link).status == 404)
        }
    }

    @Test func `a mailbox is not filled, and letters are not sent by the thousand`() async throws {
        try await run { scene in
            var statuses: [Int] = []
            for number in 0..<40 {
                statuses.append(
                    try await scene.signUp(number < 8 ? "ann@example.com" : "a\(number)@example.com").status)
            }
            let letters = scene.mailbox.mails(to: "ann@example.com")
            #expect(letters.count == 3)
            #expect(statuses.first == 303 && statuses.last == 429, "\(statuses)")
        }
    }

    @Test func `somebody who is let in meanwhile is not changed by a link from before`() async throws {
        try await run { scene in
            _ = try await scene.signUp("ann@example.com")
            let link = try scene.link(to: "ann@example.com")
            try await scene.shop.addUser("ann@example.com", role: "owner")
            #expect(try await scene.choose(link, "another horse battery").status == 404)
            _ = try await TestBrowser.signedIn(scene.shop, "ann@example.com")
        }
    }
}
