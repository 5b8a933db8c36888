// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// The apps of whoever looks that can be tried out: those with a secret in the sandbox.
struct TrialApps: Sendable {
    /// What it is in the sandbox.
    let chosen: (id: String, name: String, secret: String)?
    private let all: [(id: String, name: String)]

    private static let none = TrialApps(chosen: nil, all: [])

    /// The one that the address asks for (`as`), or the latest. None for whoever is not signed in, or has none.
    static func of(_ visit: Visit, _ api: ShopAPI?) async throws -> TrialApps {
        guard let api else { return none }
        let all = try await api.get("/v1/apps?limit=100").items.filter { $0["type"]?.string == "confidential" }
            .compactMap { app in app["id"]?.string.map { (id: $0, name: app["name"]?.string ?? $0) } }
        guard let app = all.first(where: { $0.id == visit.query["as"] }) ?? all.first else { return none }
        let test = try await api.get("/v1/apps/\(app.id)/test-credentials")
        let secret = test.json["client_secret"]?.string
        return TrialApps(chosen: secret.map { (app.id, app.name, $0) }, all: all)
    }

    /// Links to the same page as another of them.
    func others(at path: String) -> HTML {
        let links = all.filter { $0.id != chosen?.id }.map { app -> HTML in
            " <a href=\"\(path)?as=\(app.id)\">\(app.name)</a>"
        }
        return links.isEmpty ? "" : "As another app:\(links)."
    }
}
