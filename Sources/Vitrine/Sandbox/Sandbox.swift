// SPDX-License-Identifier: Apache-2.0

internal import Foundation
package import Hummingbird
package import Identity
internal import Jobs
internal import Kernel
internal import Logging
package import Persistence
package import ServiceLifecycle
internal import Synchronization
package import Web

/// A shop of the same code over data that nobody needs: a database of its own, credentials of its own, a clock that can be
/// moved on, and a beginning to which it can be taken back.
///
/// It is a process of its own, so that nothing that is tried here slows, fills or counts in the shop itself. Of that it reads
/// the apps, and nothing else. Taken back, it is another shop (``Generation``) in another folder; requests that have begun end
/// where they began.
package final class Sandbox: Service {
    /// One life of the sandbox, from a reset to the next.
    package final class Generation: Sendable {
        let number: Int
        package let shop: Shop
        fileprivate let services: [any Service]
        fileprivate let responder: any HTTPResponder<APIContext>
        fileprivate let requests = Atomic(0)

        fileprivate init(
            _ number: Int, _ shop: Shop, _ services: [any Service], _ responder: any HTTPResponder<APIContext>
        ) {
            self.number = number
            self.shop = shop
            self.services = services
            self.responder = responder
        }

        var directory: String { shop.configuration.dataDirectory }
    }

    /// What is mounted beside the shop, and what runs beside it.
    package typealias Surroundings = @Sendable (Shop) -> (endpoints: [Endpoint], services: [any Service])

    let clock: SandboxClock
    package let credentials: TestCredentials
    private let live: Database
    private let configuration: Configuration
    private let surroundings: Surroundings
    private let present = Mutex<Generation?>(nil)
    private let isResetting = Atomic(false)
    private let resets = AsyncStream.makeStream(of: Generation.self)

    /// Opens the sandbox in `configuration.dataDirectory`, of the shop whose database is `live`.
    package init(
        _ configuration: Configuration, of live: Database,
        beside surroundings: @escaping Surroundings = { _ in ([], []) }
    ) async throws {
        var configuration = configuration
        configuration.isSandbox = true
        configuration.databaseURL = nil
        configuration.replicaURLs = []
        configuration.stripe = nil
        configuration.sandboxURL = nil
        configuration.limits.redisURL = nil
        configuration.identity.shopName += " (sandbox)"
        self.configuration = configuration
        self.live = live
        self.surroundings = surroundings
        let state = SandboxState.load(from: configuration.dataDirectory)
        clock = SandboxClock(ahead: state.ahead)
        credentials = try await TestCredentials(of: live)
        let first = try await open(state.generation)
        present.withLock { $0 = first }
        try save(first.number)
    }

    /// The shop as it is now.
    package var generation: Generation {
        get throws {
            guard let generation = present.withLock({ $0 }) else {
                throw Failure(.unavailable, "The sandbox is closed.")
            }
            return generation
        }
    }

    private func open(_ number: Int) async throws -> Generation {
        var configuration = configuration
        configuration.dataDirectory += "/\(number)"
        let shop = try await Shop.open(configuration, clock: clock.wall)
        let identity = shop.identity.sandbox
        if try await shop.identity.isNew() {
            try await SampleShop(shop: shop).fill()
            try await identity.begin(with: credentials)
        }
        try await identity.mirrorApps(of: live, with: credentials)
        let (live, credentials) = (live, credentials)
        let mirror = Schedule("apps.mirror", every: .seconds(1)) {
            try await identity.mirrorApps(of: live, with: credentials)
        }
        let (endpoints, others) = surroundings(shop)
        let responder = shop.makeResponder(beside: endpoints + SandboxEndpoints(sandbox: self, shop: shop).endpoints)
        return Generation(number, shop, shop.services(beside: [mirror]) + others, responder)
    }

    private func save(_ number: Int) throws {
        try SandboxState(generation: number, ahead: clock.isAhead).save(to: configuration.dataDirectory)
    }

    // MARK: What developers do to it

    /// Moves time on, and has what is due by then happen.
    func advance(by duration: Duration) async throws {
        clock.advance(by: duration)
        let generation = try generation
        try save(generation.number)
        for chore in generation.shop.schedules { try await chore.work() }
        await generation.shop.relay.drain()
    }

    /// Begins anew, in the present time of the world.
    package func reset() async throws {
        guard isResetting.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
            throw Problem(.conflict, "The sandbox is being reset already.")
        }
        defer { isResetting.store(false, ordering: .releasing) }
        let old = try generation
        clock.reset()
        let next = try await open(old.number + 1)
        present.withLock { $0 = next }
        try save(next.number)
        resets.continuation.yield(old)
    }

    // MARK: Life

    /// Runs what belongs to the present generation, one after the other, until the process ends.
    package func run() async throws {
        var isOver = false
        while !isOver {
            let generation = try generation
            let group = ServiceGroup(
                configuration: .init(
                    services: generation.services, gracefulShutdownSignals: [],
                    logger: Logger(label: "vitrine.lifecycle")))
            isOver = try await withThrowingTaskGroup(of: Bool?.self) { tasks in
                tasks.addTask {
                    try await group.run()
                    return nil
                }
                tasks.addTask { [self] in
                    let isReset = await isReset()
                    await group.triggerGracefulShutdown()
                    return !isReset
                }
                return try await tasks.reduce(true) { $1 ?? $0 }
            }
            await close(generation, isOver: isOver)
        }
    }

    /// Waits until the sandbox was reset, or the process ends.
    private func isReset() async -> Bool {
        let resets = resets
        return await withGracefulShutdownHandler {
            for await _ in resets.stream { return true }
            return false
        } onGracefulShutdown: {
            resets.continuation.finish()
        }
    }

    private func close(_ generation: Generation, isOver: Bool) async {
        // What has begun there ends there.
        for _ in 0..<600 where generation.requests.load(ordering: .acquiring) > 0 {
            try? await Task.sleep(for: .milliseconds(50))
        }
        await generation.shop.database.close()
        if !isOver { try? FileManager.default.removeItem(atPath: generation.directory) }
    }
}

/// Hands each request to the shop that the sandbox is at that moment.
package struct SandboxResponder: HTTPResponder {
    package typealias Context = APIContext

    private let sandbox: Sandbox

    package init(_ sandbox: Sandbox) { self.sandbox = sandbox }

    package func respond(to request: Request, context: APIContext) async throws -> Response {
        let generation = try sandbox.generation
        generation.requests.add(1, ordering: .acquiringAndReleasing)
        defer { generation.requests.subtract(1, ordering: .acquiringAndReleasing) }
        return try await generation.responder.respond(to: request, context: context)
    }
}
