// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// Developers from outside the shop, held to every endpoint that there is, as the pages for them ask in their name.
struct PartnerReachTests {
    @Test func `nothing is for developers from outside that is not declared to be`() async throws {
        try await TestShop.run(configure: { $0.isSandbox = true }) { shop in
            let partner = try await TestPartner.make(shop, "ann@example.com")
            var count = 0
            for endpoint in shop.shop.sliceEndpoints where !endpoint.isForPartners && endpoint.access != .open {
                let path = endpoint.path.replacing(#/\{[a-z_]+\}/#, with: "x")
                // With every scope that there is, which nobody from outside has: it is as that that they are refused.
                let reply = try await partner.ask(endpoint.method, path, scopes: Set(Scope.allCases))
                #expect(reply.status == 403, "\(endpoint.operationID): \(reply.status)")
                #expect(reply.code == "not_for_partners", "\(endpoint.operationID)")
                count += 1
            }
            #expect(count > 80)
        }
    }

    @Test func `another organisation's things are not told from things that there are not`() async throws {
        try await TestShop.run { shop in
            let own = try await TestPartner.make(shop, "ann@example.com")
            let other = try await TestPartner.make(shop, "ben@example.com")
            let shops = try await TestApp.register(shop).id
            var count = 0
            for endpoint in shop.shop.sliceEndpoints where endpoint.isForPartners && endpoint.path.contains("{") {
                let body = Self.bodies[endpoint.operationID]
                #expect(body != nil || endpoint.body == nil, "\(endpoint.operationID) needs a body here")
                let isApp = endpoint.path.hasPrefix("/v1/apps")
                func answer(_ id: String) async throws -> Reply {
                    let path = endpoint.path.replacing("{id}", with: id).replacing("{user_id}", with: other.user)
                    return try await own.ask(endpoint.method, path, body)
                }
                let missing = try await answer((isApp ? "app_" : "org_") + String(repeating: "0", count: 26))
                for id in isApp ? [other.app, shops] : [other.organization] {
                    let reply = try await answer(id)
                    #expect(reply.status == 404, "\(endpoint.operationID): \(reply.status) \(reply.text)")
                    #expect(reply.json["detail"] == missing.json["detail"] && missing.status == 404)
                }
                if endpoint.method == .get, endpoint.operationID != "getTestCredentials" {
                    #expect(try await answer(isApp ? own.app : own.organization).status == 200)
                }
                count += 1
            }
            #expect(count >= 12)
            #expect(try await own.ask(.get, "/v1/apps").items.map { $0["id"]?.string } == [own.app])
            #expect(try await own.ask(.get, "/v1/organizations").items.map { $0["id"]?.string } == [own.organization])
            let foreign = try await own.ask(.get, "/v1/apps?organization_id=\(other.organization)")
            #expect(foreign.status == 200 && foreign.items.isEmpty)
            // The shop sees all of them.
            #expect(try await shop.get("/v1/apps").items.count == 3)
            #expect(try await shop.get("/v1/apps?organization_id=\(other.organization)").items.count == 1)
        }
    }

    private static let bodies: [String: JSON] = [
        "changeOrganizationMember": ["role": "viewer"],
        "patchApp": ["name": "Mine now"], "rotateAppSecret": [:], "patchOrganization": ["name": "Mine now"],
        "createInvitation": ["role": "owner"],
    ]

    @Test func `an app is made for an organisation of one's own, and gets nothing that is the shop's to give`()
        async throws
    {
        try await TestShop.run { shop in
            let (own, other) = (
                try await TestPartner.make(shop, "ann@example.com"), try await TestPartner.make(shop, "ben@example.com")
            )
            func register(_ extra: JSON.Member...) async throws -> Reply {
                try await own.ask(.post, "/v1/apps", .object([.init("name", "Till")] + extra))
            }
            let organization = JSON.Member("organization_id", .string(own.organization))
            #expect(try await register().status == 422)
            #expect(try await register(.init("organization_id", .string(other.organization))).status == 404)
            #expect(try await register(organization, .init("own_scopes", ["read:products"])).status == 403)
            #expect(try await register(organization, .init("tier", "trusted")).status == 403)
            #expect(try await register(organization, .init("scopes", ["read:orders", "write:keys"])).status == 403)
            #expect(
                try await register(organization, .init("own_scopes", []), .init("scopes", ["openid"])).status == 201)
            let path = "/v1/apps/" + own.app
            #expect(try await own.ask(.patch, path, ["own_scopes": ["read:products"]]).status == 403)
            #expect(try await own.ask(.patch, path, ["tier": "trusted"]).status == 403)
            #expect(try await own.ask(.patch, path, ["scopes": ["read:users"]]).status == 403)
            // What the shop has given stays when the organisation changes something else, and its secret can be made anew.
            #expect(try await shop.patch(path, ["own_scopes": ["read:products"], "tier": "trusted"]).status == 200)
            let renamed = try await own.ask(.patch, path, ["name": "Till 2"])
            #expect(renamed.status == 200 && renamed.json["tier"] == "trusted", "\(renamed.text)")
            #expect(try await own.ask(.post, path + "/secrets", [:]).status == 201)
            #expect(try await own.ask(.patch, path, ["own_scopes": []]).status == 403)
        }
    }

    @Test func `whoever is asked learns that an app comes from outside the shop`() async throws {
        try await TestShop.run { shop in
            try await shop.addUser()
            let partner = try await TestPartner.make(shop, "ann@example.com")
            let own = try await TestApp.register(shop)
            let redirect: JSON = ["redirect_uris": [.string(TestApp.back)]]
            #expect(try await partner.ask(.patch, "/v1/apps/" + partner.app, redirect).status == 200)
            let path = "/v1/organizations/" + partner.organization
            #expect(try await partner.ask(.patch, path, ["name": "<b>The shop</b>"]).status == 200)
            let browser = try await TestBrowser.signedIn(shop)
            let app = TestApp(shop: shop, id: partner.app, secret: nil)
            let page = try await browser.get(app.authorizeAddress(["scope": "read:orders"]))
            #expect(page.text.contains("made by <strong>&lt;b&gt;The shop&lt;/b&gt;</strong>"), "\(page.text)")
            let others = try await browser.get(own.authorizeAddress())
            #expect(others.status == 200 && !others.text.contains("made by"))
        }
    }

    @Test func `whoever develops from outside lets no app into the shop`() async throws {
        try await TestShop.run { shop in
            try await TestPartner.make(shop, "ann@example.com")
            for people in ["staff", "customers", "everybody"] {
                let app = try await TestApp.register(shop, [.init("people", .string(people))])
                let browser = try await TestBrowser.signedIn(shop, "ann@example.com")
                let answer = try await browser.allow(app.authorizeAddress())
                #expect(TestApp.query(answer)["code"] == nil, "\(people): \(answer.status)")
            }
        }
    }
}

/// Whoever signed up, with an organisation and an app.
struct TestPartner {
    let shop: TestShop
    let user: String
    let organization: String
    let app: String

    @discardableResult
    static func make(_ shop: TestShop, _ email: String, isAlone: Bool = false) async throws -> TestPartner {
        let user = try await shop.addUser(email, role: "partner").id
        var partner = TestPartner(shop: shop, user: user, organization: "", app: "")
        guard !isAlone else { return partner }
        let organization = try await partner.ask(.post, "/v1/organizations", ["name": "Co"])
        partner = TestPartner(shop: shop, user: user, organization: organization.id, app: "")
        let app = try await partner.ask(
            .post, "/v1/apps",
            ["name": "Till", "organization_id": .string(organization.id), "scopes": ["read:orders"]])
        #expect(app.status == 201, "\(app.text)")
        return TestPartner(shop: shop, user: user, organization: organization.id, app: app.id)
    }

    func ask(
        _ method: Web.Method, _ path: String, _ body: JSON? = nil,
        scopes: Set<Scope> = [.readApps, .writeApps], ifMatch: String = "*"
    ) async throws -> Reply {
        let principal = Principal(id: user, name: "Ann", scopes: scopes, user: user, partner: user)
        let name = try #require(HTTPRequest.Method(rawValue: method.rawValue))
        return try await Acting.$principal.withValue(principal) {
            try await shop.send(
                name, path, body: body.map { Array($0.text.utf8) }, headers: ["If-Match": ifMatch], key: "")
        }
    }

    /// A link with which somebody joins.
    func invite(_ role: String = "member") async throws -> String {
        let made = try await ask(.post, "/v1/organizations/\(organization)/invitations", ["role": .string(role)])
        return made.json["url"]?.string?.components(separatedBy: "key=").last ?? ""
    }

    func join(_ key: String) async throws -> Reply {
        try await ask(.post, "/v1/organizations/join", ["key": .string(key)])
    }
}
