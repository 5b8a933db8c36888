// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel

/// What a sandbox remembers beside its data: which data those are, how far ahead its clock is, and whose sandbox it is.
struct SandboxRecord: Sendable {
    var generation: Int
    var ahead: Duration
    /// Of the shop's test credentials.
    let shop: String

    private static func path(_ directory: String) -> String { directory + "/state.json" }

    /// - Returns: `nil` where nothing was saved, where it cannot be read, and for another shop's: it is only a sandbox.
    static func load(from directory: String, of shop: String) -> SandboxRecord? {
        guard let bytes = FileManager.default.contents(atPath: path(directory)),
            let json = try? JSON.parse(Array(bytes)), json["shop"]?.string == shop,
            let generation = json["generation"]?.integer.flatMap({ Int(exactly: $0) }),
            let ahead = json["ahead_ms"]?.integer
        else { return nil }
        return SandboxRecord(generation: generation, ahead: .milliseconds(ahead), shop: shop)
    }

    func save(to directory: String) throws {
        let json: JSON = [
            "generation": .integer(Int64(generation)), "ahead_ms": .integer(Int64(ahead / .milliseconds(1))),
            "shop": .string(shop),
        ]
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(json.text.utf8).write(to: URL(fileURLWithPath: Self.path(directory)), options: .atomic)
    }
}
