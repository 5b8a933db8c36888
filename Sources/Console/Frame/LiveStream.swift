// SPDX-License-Identifier: Apache-2.0

internal import Hummingbird
internal import Kernel
internal import NIOCore
internal import ServiceLifecycle
internal import Synchronization
internal import Web

/// A page that is drawn again and again while somebody looks at it (HTML Living Standard, 9.2 Server-sent events). Sent is only
/// what has changed.
struct LiveStream: Sendable {
    /// How many people may look on at once; further ones have pages that stand still.
    private static let countMax = 64
    private static let count = Mutex(0)

    let interval: Duration
    let draw: @Sendable () async throws -> [Section]

    /// - Returns: `nil` where there are too many already.
    func body() -> ResponseBody? {
        let hasRoom = Self.count.withLock { count in
            guard count < Self.countMax else { return false }
            count += 1
            return true
        }
        guard hasRoom else { return nil }
        let place = Place()
        return ResponseBody { writer in
            defer { place.leave() }
            try await follow(&writer)
            try await writer.finish(nil)
        }
    }

    private func follow(_ writer: inout any ResponseBodyWriter) async throws {
        var shown: [String: HTML] = [:]
        try await writer.write(ByteBuffer(string: "retry: 3000\n\n"))
        while !Task.isShuttingDownGracefully {
            try await Task.sleep(for: interval)
            let changed = try await draw().filter { shown[$0.id] != $0.html }
            for section in changed {
                shown[section.id] = section.html
                try await writer.write(ByteBuffer(string: Self.event(section)))
            }
            // Whoever has gone is noticed by writing.
            if changed.isEmpty { try await writer.write(ByteBuffer(string: ":\n\n")) }
        }
    }

    private static func event(_ section: Section) -> String {
        "data: \(JSON.object([.init("id", .string(section.id)), .init("html", .string(section.html.text))]).text)\n\n"
    }

    /// Gives its place back once, when the stream has ended or was never begun.
    private final class Place: Sendable {
        private let isTaken = Mutex(true)

        func leave() {
            let was = isTaken.withLock { isTaken in
                defer { isTaken = false }
                return isTaken
            }
            if was { LiveStream.count.withLock { $0 -= 1 } }
        }

        deinit { leave() }
    }
}
