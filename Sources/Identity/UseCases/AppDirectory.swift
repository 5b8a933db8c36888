// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// The apps of the shop, by id; known for a second at most, and never after a change of this process.
struct AppDirectory: Sendable {
    private let known: Remembered<AppID, RegisteredApp?>

    init(database: Database) { known = Remembered(from: AppStore.tables, of: database) }

    /// - Returns: `nil` where there is none, or it was removed.
    func find(_ id: AppID) async throws -> RegisteredApp? {
        try await known.value(of: id) { try AppStore.registered(id, in: $0) }
    }
}
