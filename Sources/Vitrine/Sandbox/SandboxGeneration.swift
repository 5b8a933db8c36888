// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Hummingbird
internal import Kernel
internal import Logging
internal import Persistence
internal import ServiceLifecycle
internal import Synchronization
internal import Web

/// One life of a sandbox, from a reset to the next: a shop with a clock and a folder of its own.
package final class SandboxGeneration: Sendable {
    let number: Int
    package let shop: Shop
    let clock: SandboxClock
    private let services: [any Service]
    private let responder: any HTTPResponder<APIContext>
    private let requests = Mutex(0)
    private let ending = AsyncStream.makeStream(of: Void.self)
    private let isReplaced = Atomic(false)

    init(
        _ number: Int, _ shop: Shop, _ clock: SandboxClock, _ services: [any Service],
        _ responder: any HTTPResponder<APIContext>
    ) {
        self.number = number
        self.shop = shop
        self.clock = clock
        self.services = services
        self.responder = responder
    }

    /// Says that a request will be answered here. It is done with ``respond(to:_:)``.
    func take() { requests.withLock { $0 += 1 } }

    func respond(to request: Request, _ context: APIContext) async throws -> Response {
        defer { requests.withLock { $0 -= 1 } }
        return try await responder.respond(to: request, context: context)
    }

    /// Runs what belongs to the shop until the generation is told to end, and then closes it; where another one has taken its
    /// place, for good.
    func run() async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: [], logger: Logger(label: "vitrine.lifecycle")))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask { [ending] in
                for await _ in ending.stream {}
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
        let end = ContinuousClock.now + Endpoint.longest
        while requests.withLock({ $0 > 0 }), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        await shop.close()
        if isReplaced.load(ordering: .acquiring) {
            try? FileManager.default.removeItem(atPath: shop.configuration.dataDirectory)
        }
    }

    /// Has it end after the requests that it has taken.
    func end(replaced: Bool) {
        isReplaced.store(replaced, ordering: .releasing)
        ending.continuation.finish()
    }
}
