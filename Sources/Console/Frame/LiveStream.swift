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
    /// Then the browser asks again, by itself: so that none lasts for ever.
    private static let lifetime = Duration.seconds(600)

    /// How often something is sent at least.
    private static let pulse = Duration.seconds(5)

    let interval: Duration
    let draw: @Sendable () async throws -> Page

    func body(on place: LivePlaces.Place) -> ResponseBody {
        ResponseBody { writer in
            defer { place.leave() }
            try await follow(&writer)
            try await writer.finish(nil)
        }
    }

    private func follow(_ writer: inout any ResponseBodyWriter) async throws {
        let (end, interval) = (ContinuousClock.now + Self.lifetime, interval)
        var shown: [String: HTML] = [:]
        try await writer.write(ByteBuffer(string: "retry: 3000\n\n"))
        var next = ContinuousClock.now + interval
        while ContinuousClock.now < end {
            let pause = min(interval, Self.pulse)
            let isOver = await cancelWhenGracefulShutdown { (try? await Task.sleep(for: pause)) == nil }
            guard !isOver else { return }
            // Whoever has gone is noticed by writing, also where nothing is new.
            try await writer.write(ByteBuffer(string: ":\n\n"))
            guard ContinuousClock.now >= next else { continue }
            next = ContinuousClock.now + interval
            var events: [String] = []
            try await draw().eachSection { id, html in
                guard shown[id] != html else { return }
                shown[id] = html
                events.append(Self.event(id, html))
            }
            for event in events { try await writer.write(ByteBuffer(string: event)) }
        }
    }

    private static func event(_ id: String, _ html: HTML) -> String {
        "data: \(JSON.object([.init("id", .string(id)), .init("html", .string(html.text))]).text)\n\n"
    }
}

/// How many may look on at once; further ones have pages that stand still.
final class LivePlaces: Sendable {
    private static let countMax = 64

    private let taken = Mutex(0)

    /// - Returns: `nil` where there is none left.
    func take() -> Place? {
        let hasRoom = taken.withLock { taken in
            guard taken < Self.countMax else { return false }
            taken += 1
            return true
        }
        return hasRoom ? Place(places: self) : nil
    }

    /// Is given back once, when its stream has ended or was never begun.
    final class Place: Sendable {
        private let places: LivePlaces
        private let isTaken = Mutex(true)

        fileprivate init(places: LivePlaces) { self.places = places }

        func leave() {
            let was = isTaken.withLock { isTaken in
                defer { isTaken = false }
                return isTaken
            }
            if was { places.taken.withLock { $0 -= 1 } }
        }

        deinit { leave() }
    }
}
