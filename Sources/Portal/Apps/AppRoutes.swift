// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What developers do with their organisations and apps: what is sent goes to the API, and what it says is shown.
struct AppRoutes: Sendable {
    enum Outcome: Sendable {
        case page(PortalPage)
        case go(String)
    }

    /// Makes an endpoint for whoever is signed in.
    let page:
        @Sendable (
            Method, String, String, String, @escaping @Sendable (Visit, ShopAPI) async throws -> Outcome
        ) -> Endpoint

    let hasSandbox: Bool

    var endpoints: [Endpoint] {
        [
            page(.get, "/developers/apps", "developerApps", "Your apps") { try await showApps($0, $1) },
            page(.post, "/developers/organizations", "developerOrganizationMake", "Make an organisation") {
                let reply = try await $1.send(.post, "/v1/organizations", ["name": .string($0["name"] ?? "")])
                return try await reply.isDone ? .go("/developers/apps") : showApps($0, $1, trouble: reply.trouble)
            },
            page(.get, "/developers/apps/new", "developerAppNew", "Register an app") { visit, _ in newApp(visit) },
            page(.post, "/developers/apps", "developerAppMake", "Register an app") { try await makeApp($0, $1) },
            page(.get, "/developers/apps/{id}", "developerApp", "An app") { try await showApp($0, $1) },
            page(.get, "/developers/apps/{id}/requests", "developerAppRequests", "What an app has asked") {
                try await showRequests($0, $1)
            },
            page(.post, "/developers/apps/{id}", "developerAppChange", "Change an app") { try await change($0, $1) },
            page(.post, "/developers/apps/{id}/secrets", "developerSecretMake", "Make a new secret") {
                try await makeSecret($0, $1)
            },
            page(.post, "/developers/apps/{id}/remove", "developerAppRemove", "Remove an app") {
                try await remove($0, $1)
            },
            page(.get, "/developers/organizations/{id}", "developerOrganization", "An organisation") {
                try await showOrganization($0, $1)
            },
            page(.post, "/developers/organizations/{id}/invitations", "developerInvite", "Make an invitation") {
                let role: JSON = ["role": .string($0["role"] ?? "member")]
                let reply = try await $1.send(.post, "/v1/organizations/\($0.subject)/invitations", role)
                return try await showOrganization($0, $1, invitation: reply.json["url"]?.string, reply.trouble)
            },
            page(.post, "/developers/organizations/{id}/members/remove", "developerMemberRemove", "Take somebody out") {
                let user = PercentEncoding.encode($0["user"] ?? "-")
                let reply = try await $1.send(.delete, "/v1/organizations/\($0.subject)/members/\(user)")
                guard !reply.isDone else { return .go("/developers/organizations/" + $0.subject) }
                return try await showOrganization($0, $1, reply.trouble)
            },
            page(.post, "/developers/organizations/{id}/members", "developerMemberChange", "Say what somebody is") {
                let user = PercentEncoding.encode($0["user"] ?? "-")
                let role: JSON = ["role": .string($0["role"] ?? "-")]
                let reply = try await $1.send(.put, "/v1/organizations/\($0.subject)/members/\(user)", role)
                guard !reply.isDone else { return .go("/developers/organizations/" + $0.subject) }
                return try await showOrganization($0, $1, reply.trouble)
            },
            page(.get, "/developers/join", "developerJoinPage", "Join an organisation") { visit, _ in
                .page(JoinPage.ask(visit, key: visit.query["key"] ?? ""))
            },
            page(.post, "/developers/join", "developerJoin", "Join an organisation") {
                let reply = try await $1.send(.post, "/v1/organizations/join", ["key": .string($0["key"] ?? "-")])
                return reply.isDone ? .go("/developers/apps") : .page(JoinPage.refused($0, reply.trouble))
            },
        ]
    }

    // MARK: Apps

    private func showApps(_ visit: Visit, _ api: ShopAPI, trouble: String? = nil) async throws -> Outcome {
        let organizations = try await api.get("/v1/organizations?limit=100")
        guard organizations.isDone else { return .page(FaultPage.page(organizations)) }
        var apps: [JSON] = []
        // An organisation has fewer than a page of them.
        for organization in organizations.items {
            let id = organization["id"]?.string ?? ""
            apps += try await api.get("/v1/apps?limit=100&organization_id=" + id).items
        }
        return .page(AppsPage(visit: visit, organizations: organizations.items, apps: apps, trouble: trouble).page)
    }

    private func newApp(_ visit: Visit, trouble: String? = nil) -> Outcome {
        .page(NewAppPage.page(visit, trouble: trouble))
    }

    private func makeApp(_ visit: Visit, _ api: ShopAPI) async throws -> Outcome {
        let members =
            AppForm.body(of: visit.form).filter { $0.value != .null } + [
                .init("organization_id", .string(visit["organization"] ?? "")),
                .init("type", .string(visit["type"] ?? "confidential")),
            ]
        let reply = try await api.send(.post, "/v1/apps", .object(members))
        guard reply.isDone else { return newApp(visit, trouble: reply.trouble) }
        return try await showApp(visit, api, id: reply["id"], newSecret: reply.json["client_secret"]?.string)
    }

    private func showApp(
        _ visit: Visit, _ api: ShopAPI, id: String? = nil, newSecret: String? = nil, trouble: String? = nil
    ) async throws -> Outcome {
        let address = "/v1/apps/" + (id ?? visit.subject)
        let app = try await api.get(address)
        guard app.isDone else {
            // Whatever else is wrong, a secret that was made is not to be had again.
            return .page(newSecret.map { NewSecretPage.page($0) } ?? FaultPage.page(app))
        }
        let secrets = try await api.get(address + "/secrets")
        let test = try await api.get(address + "/test-credentials")
        return .page(
            AppPage(
                visit: visit, app: app.json, entityTag: app.entityTag ?? "*",
                secrets: secrets.isDone ? secrets.json["secrets"]?.array ?? [] : nil,
                test: test.isDone ? test.json : nil,
                newSecret: newSecret, trouble: trouble, done: visit.query["done"].map { _ in "It is saved." },
                sent: trouble == nil || visit["name"] == nil ? nil : .object(AppForm.body(of: visit.form))
            ).page)
    }

    private func showRequests(_ visit: Visit, _ api: ShopAPI) async throws -> Outcome {
        let address = "/v1/apps/" + visit.subject
        let app = try await api.get(address)
        guard app.isDone else { return .page(FaultPage.page(app)) }
        let requests = try await api.get(address + "/requests" + RequestsPage.query(visit))
        return .page(
            RequestsPage(visit: visit, app: app.json, requests: requests, hasSandbox: hasSandbox).page)
    }

    private func change(_ visit: Visit, _ api: ShopAPI) async throws -> Outcome {
        let reply = try await api.send(
            .patch, "/v1/apps/" + visit.subject, .object(AppForm.body(of: visit.form)), ifMatch: visit["etag"] ?? "*")
        guard !reply.isDone else { return .go("/developers/apps/\(visit.subject)?done=saved") }
        return try await showApp(visit, api, trouble: reply.trouble)
    }

    private func makeSecret(_ visit: Visit, _ api: ShopAPI) async throws -> Outcome {
        let overlap: JSON = ["overlap_seconds": .integer(Int64(visit["overlap"] ?? "") ?? 86_400)]
        let reply = try await api.send(.post, "/v1/apps/\(visit.subject)/secrets", overlap)
        return try await showApp(
            visit, api, newSecret: reply.json["client_secret"]?.string, trouble: reply.trouble)
    }

    private func remove(_ visit: Visit, _ api: ShopAPI) async throws -> Outcome {
        guard visit["sure"] == "yes" else { return try await showApp(visit, api, trouble: "Say that you are sure.") }
        let reply = try await api.send(.delete, "/v1/apps/" + visit.subject)
        return try await reply.isDone ? .go("/developers/apps") : showApp(visit, api, trouble: reply.trouble)
    }

    private func showOrganization(
        _ visit: Visit, _ api: ShopAPI, invitation: String? = nil, _ trouble: String? = nil
    ) async throws -> Outcome {
        let address = "/v1/organizations/" + visit.subject
        let organization = try await api.get(address)
        guard organization.isDone else { return .page(FaultPage.page(organization)) }
        let members = try await api.get(address + "/members")
        return .page(
            OrganizationPage(
                visit: visit, organization: organization.json, members: members.json["members"]?.array ?? [],
                invitation: invitation, trouble: trouble
            ).page)
    }
}
