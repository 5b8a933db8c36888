// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// The apps of the shop, by id; known for a second at most, and never after a change of this process.
struct AppDirectory: Sendable {
    private let known: Remembered<AppID, RegisteredApp?>
    /// Of each app, and of all.
    private let origins: Remembered<AppID?, Set<String>>

    init(database: Database) {
        known = Remembered(from: AppStore.tables, of: database)
        origins = Remembered(from: AppStore.tables, of: database)
    }

    /// Whether `origin` (RFC 6454) is one to which an app, or any where that is `nil`, has people sent back, or that it has named. On a
    /// developer's own machine the port may be any, as there.
    func isOrigin(_ origin: String, of app: AppID?) async throws -> Bool {
        let known = try await origins.value(of: app) {
            Set(try AppStore.origins(of: app, in: $0).map(FormTargets.withoutUsualPort))
        }
        if known.contains(origin) { return true }
        return ["http://127.0.0.1", "http://[::1]"].contains { origin.hasPrefix($0 + ":") && known.contains($0) }
    }

    /// Whether it is known without asking.
    func isAtHand(_ id: AppID) -> Bool { (known.current(id) ?? nil) != nil }

    /// - Returns: `nil` where there is none, or it was removed.
    func find(_ id: AppID) async throws -> RegisteredApp? {
        try await known.value(of: id) { try AppStore.registered(id, in: $0) }
    }
}
