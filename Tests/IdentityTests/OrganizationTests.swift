// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Kernel
import TestSupport
import Testing
import Web

@testable import Identity

/// Who belongs to an organisation, and who says so.
struct OrganizationTests {
    private func with(
        _ test: (_ owner: TestPartner, _ other: TestPartner, _ shop: TestShop) async throws -> Void
    ) async throws {
        try await TestShop.run { shop in
            let owner = try await TestPartner.make(shop, "ann@example.com")
            try await test(owner, TestPartner.make(shop, "ben@example.com", isAlone: true), shop)
        }
    }

    private func members(_ partner: TestPartner, of organization: String) async throws -> [String: String] {
        let reply = try await partner.ask(.get, "/v1/organizations/\(organization)/members")
        let pairs = (reply.json["members"]?.array ?? []).map {
            ($0["user_id"]?.string ?? "", $0["role"]?.string ?? "")
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    @Test func `an invitation lets one developer in, once`() async throws {
        try await with { owner, other, shop in
            let third = try await TestPartner.make(shop, "cy@example.com", isAlone: true)
            let key = try await owner.invite()
            // Whoever belongs to it leaves the invitation to others.
            #expect(try await owner.join(key).status == 409)
            let joined = try await other.join(key)
            #expect(joined.status == 200 && joined.id == owner.organization, "\(joined.text)")
            #expect(
                try await members(other, of: owner.organization) == [owner.user: "owner", other.user: "member"])
            #expect(try await other.ask(.get, "/v1/apps/" + owner.app).status == 200)
            let again = try await third.join(key)
            #expect(again.status == 404, "\(again.status)")
            let never = try await third.join(String(repeating: "a", count: 43))
            #expect(again.status == never.status && again.json["detail"] == never.json["detail"])
            #expect(try await shop.post("/v1/organizations/join", ["key": .string(key)]).status == 409)
        }
    }

    @Test func `an invitation is good for seven days`() async throws {
        try await with { owner, other, shop in
            let (early, late) = (try await owner.invite(), try await owner.invite("owner"))
            shop.clock.advance(by: .seconds(7 * 86_400 - 1))
            #expect(try await other.join(late).status == 200)
            #expect(try await members(owner, of: owner.organization)[other.user] == "owner")
            let third = try await TestPartner.make(shop, "cy@example.com", isAlone: true)
            shop.clock.advance(by: .seconds(1))
            #expect(try await third.join(early).status >= 400)
        }
    }

    @Test func `a viewer sees the apps, support what they have asked, a developer changes them`() async throws {
        try await with { owner, _, shop in
            let app = "/v1/apps/" + owner.app
            let steps: [(role: String, method: Web.Method, path: String, body: JSON?)] = [
                ("viewer", .get, app, nil), ("viewer", .get, "/v1/organizations/\(owner.organization)/members", nil),
                ("support", .get, app + "/requests", nil), ("member", .get, app + "/secrets", nil),
                ("member", .patch, app, ["name": "Till 2"]), ("member", .post, app + "/secrets", [:]),
                (
                    "member", .post, "/v1/apps",
                    ["name": "Another", "organization_id": .string(owner.organization)]
                ), ("owner", .post, "/v1/organizations/\(owner.organization)/invitations", [:]),
                ("member", .delete, app, nil),
            ]
            let roles = ["viewer", "support", "member", "owner"]
            for (rank, role) in roles.enumerated() {
                let partner = try await TestPartner.make(shop, "\(role)@example.com", isAlone: true)
                #expect(try await partner.join(owner.invite(role)).status == 200)
                for step in steps where !(rank >= 2 && step.method == .delete) {
                    let reply = try await partner.ask(step.method, step.path, step.body)
                    let isLet = roles.firstIndex(of: step.role).map { $0 <= rank } == true
                    #expect((reply.status < 300) == isLet, "\(role) \(step.method) \(step.path): \(reply.text)")
                    if !isLet { #expect(reply.status == 403 && reply.code == "not_for_partners") }
                }
            }
        }
    }

    @Test func `an owner says what somebody is, and the last one stays an owner`() async throws {
        try await with { owner, other, shop in
            #expect(try await other.join(owner.invite("viewer")).status == 200)
            let path = "/v1/organizations/\(owner.organization)/members/"
            func set(_ role: JSON, _ user: String, by partner: TestPartner) async throws -> Reply {
                try await partner.ask(.put, path + user, ["role": role])
            }
            #expect(try await set("owner", other.user, by: other).status == 403)
            #expect(try await set("viewer", owner.user, by: owner).status == 409, "the last owner")
            #expect(try await set("king", other.user, by: owner).status == 422)
            #expect(try await owner.ask(.put, path + other.user, [:]).status == 422)
            #expect(try await members(owner, of: owner.organization)[other.user] == "viewer")
            #expect(try await set("owner", "usr_01k9x3c5v8q2e6m4n7p0r1s2t3", by: owner).status == 404)
            let made = try await set("owner", other.user, by: owner)
            #expect(made.status == 200 && made.json["role"] == "owner", "\(made.text)")
            #expect(try await set("viewer", owner.user, by: other).status == 200)
            #expect(try await owner.ask(.patch, "/v1/apps/" + owner.app, ["name": "Mine"]).status == 403)
            await shop.shop.relay.drain()
            let told = try await shop.get("/v1/audit-events?action=organization.member_changed").items
            #expect(told.last?.at("data", "changes") == ["role": ["before": "viewer", "after": "owner"]])
        }
    }

    @Test func `members manage apps and go; who belongs to it is for owners to say`() async throws {
        try await with { owner, other, _ in
            _ = try await other.join(owner.invite())
            let path = "/v1/organizations/" + owner.organization
            for (method, end, body) in [
                (Web.Method.post, "/invitations", ["role": "member"]), (.patch, "", ["name": "Other"]),
                (.delete, "/members/" + owner.user, nil), (.delete, "", nil),
            ] as [(Web.Method, String, JSON?)] {
                let reply = try await other.ask(method, path + end, body)
                #expect(reply.status == 403, "\(method) \(end): \(reply.text)")
            }
            #expect(try await other.ask(.patch, "/v1/apps/" + owner.app, ["name": "Till 2"]).status == 200)
            #expect(try await other.ask(.delete, path + "/members/" + other.user).status == 204)
            #expect(try await other.ask(.get, path).status == 404)
            #expect(try await other.ask(.get, "/v1/apps/" + owner.app).status == 404)
        }
    }

    @Test func `the last owner stays, and the shop can take anybody out`() async throws {
        try await with { owner, other, shop in
            let path = "/v1/organizations/" + owner.organization
            #expect(try await owner.ask(.delete, path + "/members/" + owner.user).status == 409)
            #expect(try await owner.ask(.delete, path + "/members/" + other.user).status == 404)
            _ = try await other.join(owner.invite("owner"))
            #expect(try await owner.ask(.delete, path + "/members/" + owner.user).status == 204)
            #expect(try await shop.delete(path + "/members/" + other.user).status == 204)
            #expect(try await shop.get(path + "/members").json["members"]?.array?.isEmpty == true)
        }
    }

    @Test func `an organisation is renamed as one has read it, and removed when it has no apps`() async throws {
        try await with { owner, _, _ in
            let path = "/v1/organizations/" + owner.organization
            let tag = try await owner.ask(.get, path).header("ETag") ?? ""
            #expect(try await owner.ask(.patch, path, ["name": "Co & Co"], ifMatch: tag).status == 200)
            #expect(try await owner.ask(.patch, path, ["name": "Later"], ifMatch: tag).status == 412)
            #expect(try await owner.ask(.get, path).json["name"] == "Co & Co")
            #expect(try await owner.ask(.delete, path).status == 409)
            #expect(try await owner.ask(.delete, "/v1/apps/" + owner.app).status == 204)
            #expect(try await owner.ask(.delete, path).status == 204)
            #expect(try await owner.ask(.get, path).status == 404)
        }
    }

    @Test func `an organisation has so many apps, and registers no more by removing some`() async throws {
        try await with { owner, _, _ in
            let body: JSON = ["name": "More", "organization_id": .string(owner.organization)]
            for _ in 1..<50 { #expect(try await owner.ask(.post, "/v1/apps", body).status == 201) }
            let refused = try await owner.ask(.post, "/v1/apps", body)
            #expect(refused.status == 409)
            #expect(try await owner.ask(.delete, "/v1/apps/" + owner.app).status == 204)
            #expect(try await owner.ask(.post, "/v1/apps", body).status == 201)
        }
    }

    @Test func `nobody fills the shop with organisations, and all that happens is in the audit trail`() async throws {
        try await with { owner, other, shop in
            for _ in 0..<20 {
                #expect(try await other.ask(.post, "/v1/organizations", ["name": "More"]).status == 201)
            }
            #expect(try await other.ask(.post, "/v1/organizations", ["name": "More"]).status == 409)
            // Nor by joining what others have made.
            #expect(try await other.join(owner.invite()).status == 409)
            await shop.shop.relay.drain()
            let trail = try await shop.get("/v1/audit-events?limit=100")
            let types = Set(trail.items.compactMap { $0["action"]?.string })
            #expect(types.isSuperset(of: ["organization.created", "organization.invited"]), "\(types)")
            let made = trail.items.first { $0["action"] == "organization.invited" }
            #expect(made?["user"]?.string == owner.user, "\(made?.text ?? "")")
        }
    }
}
