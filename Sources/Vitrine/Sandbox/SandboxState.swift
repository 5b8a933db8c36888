// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel

/// What a sandbox remembers beside its data: which data those are, and how far ahead its clock is.
struct SandboxState: Sendable {
    var generation = 1
    var ahead = Duration.zero

    private static func path(_ directory: String) -> String { directory + "/state.json" }

    /// - Returns: a beginning where nothing was saved, or nothing that can be read: it is only a sandbox.
    static func load(from directory: String) -> SandboxState {
        var state = SandboxState()
        guard let bytes = FileManager.default.contents(atPath: path(directory)),
            let json = try? JSON.parse(Array(bytes))
        else { return state }
        state.generation = json["generation"]?.integer.flatMap { Int(exactly: $0) } ?? 1
        state.ahead = .milliseconds(json["ahead_ms"]?.integer ?? 0)
        return state
    }

    func save(to directory: String) throws {
        let json: JSON = [
            "generation": .integer(Int64(generation)), "ahead_ms": .integer(Int64(ahead / .milliseconds(1))),
        ]
        try Data(json.text.utf8).write(to: URL(fileURLWithPath: Self.path(directory)), options: .atomic)
    }
}
