// SPDX-License-Identifier: Apache-2.0

internal import Foundation
package import Hummingbird
package import Identity
internal import Jobs
internal import Kernel
package import Persistence
internal import Resilience
package import ServiceLifecycle
internal import Synchronization
package import Web

/// A shop of the same code over data that nobody needs: a database of its own, credentials of its own, a clock that can be
/// moved on, and a beginning to which it can be taken back.
///
/// It is a process of its own, so that nothing that is tried here slows, fills or counts in the shop itself. Of that it reads
/// the apps and one secret, and nothing else. Taken back, it is another shop (``SandboxGeneration``) in another folder; requests that have
/// begun end where they began.
package final class Sandbox: Service {
    /// What is mounted beside the shop, and what runs beside it.
    package typealias Surroundings = @Sendable (Shop) -> (endpoints: [Endpoint], services: [any Service])

    package let credentials: TestCredentials
    private let live: Database
    private let configuration: Configuration
    private let surroundings: Surroundings
    private let present: Mutex<SandboxGeneration?> = Mutex(nil)
    /// One thing at a time: while a reset goes on nobody moves time, nor the reverse.
    private let isBusy = Atomic(false)
    /// Each generation as it begins.
    private let lives = AsyncStream.makeStream(of: SandboxGeneration.self)

    /// No clock shows later years than four digits hold; and nobody tries out more.
    private static let aheadMax = Duration.seconds(50 * 366 * 86_400)

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
        // Developers are those of the shop.
        configuration.identity.isSignUpOpen = false
        configuration.sendMail = nil
        self.configuration = configuration
        self.live = live
        self.surroundings = surroundings
        credentials = try await TestCredentials(of: live)
        let record = SandboxRecord.load(from: configuration.dataDirectory, of: credentials.fingerprint)
        let first = try await open(record?.generation ?? 1, ahead: record?.ahead ?? .zero, isNew: record == nil)
        present.withLock { $0 = first }
        try save(first)
        removeOthers(than: first)
        lives.continuation.yield(first)
    }

    /// What earlier generations have left that no orderly end could remove.
    private func removeOthers(than generation: SandboxGeneration) {
        let folder = configuration.dataDirectory
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in all where Int(name) != nil && name != String(generation.number) {
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }

    /// The shop as it is now.
    package var generation: SandboxGeneration {
        get throws { try present.withLock { try Self.open($0) } }
    }

    /// The same for a request that is about to be answered there.
    func take() throws -> SandboxGeneration {
        try present.withLock { present in
            let generation = try Self.open(present)
            generation.take()
            return generation
        }
    }

    private static func open(_ present: SandboxGeneration?) throws -> SandboxGeneration {
        guard let present else { throw Failure(.unavailable, "The sandbox is not open yet.") }
        return present
    }

    /// What is new begins in an empty folder, whatever an opening that came to nothing has left there.
    private func open(_ number: Int, ahead: Duration, isNew: Bool) async throws -> SandboxGeneration {
        var configuration = configuration
        configuration.dataDirectory += "/\(number)"
        if isNew { try? FileManager.default.removeItem(atPath: configuration.dataDirectory) }
        let clock = SandboxClock(ahead: ahead)
        // However long the request may take that this is for, half a shop is none.
        return try await Deadline.$current.withValue(nil) {
            let shop = try await Shop.open(configuration, clock: clock.wall)
            do {
                return try await fill(shop, number, clock)
            } catch {
                await shop.database.close()
                throw error
            }
        }
    }

    private func fill(_ shop: Shop, _ number: Int, _ clock: SandboxClock) async throws -> SandboxGeneration {
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
        let own = SandboxEndpoints(sandbox: self, shop: shop, clock: clock).endpoints
        return SandboxGeneration(
            number, shop, clock, shop.services(beside: [mirror]) + others, shop.makeResponder(beside: endpoints + own))
    }

    private func save(_ generation: SandboxGeneration) throws {
        try SandboxRecord(
            generation: generation.number, ahead: generation.clock.isAhead, shop: credentials.fingerprint
        ).save(to: configuration.dataDirectory)
    }

    // MARK: What developers do to it

    /// Moves time on, and has what is due by then happen; where `note`, which keeps what is answered, finds that this request
    /// has not moved it before.
    ///
    /// - Throws: ``Problem`` where a reset goes on, and beyond fifty years.
    func advance<Answer>(
        by duration: Duration, noting note: () async throws -> (answer: Answer, isFresh: Bool)
    ) async throws -> Answer {
        try await alone {
            let generation = try generation
            guard generation.clock.isAhead + duration <= Self.aheadMax else {
                throw Problem(.invalidBody, "The sandbox is at most fifty years ahead. A reset takes it back.")
            }
            let (answer, isFresh) = try await note()
            guard isFresh else { return answer }
            generation.clock.advance(by: duration)
            try save(generation)
            for chore in generation.shop.schedules { try await chore.work() }
            await generation.shop.relay.drain()
            return answer
        }
    }

    /// Begins anew, in the present time of the world.
    ///
    /// - Throws: ``Problem`` where another reset goes on.
    package func reset() async throws {
        try await alone {
            let old = try generation
            let next = try await open(old.number + 1, ahead: .zero, isNew: true)
            do {
                try save(next)
            } catch {
                await next.shop.database.close()
                throw error
            }
            present.withLock { $0 = next }
            lives.continuation.yield(next)
            old.end(replaced: true)
        }
    }

    private func alone<Result>(_ body: () async throws -> Result) async throws -> Result {
        guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
            throw Problem(.conflict, "The sandbox is being reset, or its time moved on. Try again in a moment.")
        }
        defer { isBusy.store(false, ordering: .releasing) }
        return try await body()
    }

    // MARK: Life

    /// Runs what belongs to the generations, the next beside the last that still ends, until the process ends.
    package func run() async throws {
        let lives = lives
        try await withThrowingDiscardingTaskGroup { tasks in
            await withGracefulShutdownHandler {
                for await generation in lives.stream {
                    tasks.addTask {
                        do {
                            try await generation.run()
                        } catch {
                            // Where one cannot live any more, the process is to end, and not to go on without its chores.
                            lives.continuation.finish()
                            throw error
                        }
                    }
                }
            } onGracefulShutdown: {
                lives.continuation.finish()
            }
            try generation.end(replaced: false)
        }
    }
}

/// Hands each request to the shop that the sandbox is at that moment.
package struct SandboxResponder: HTTPResponder {
    package typealias Context = APIContext

    private let sandbox: Sandbox

    package init(_ sandbox: Sandbox) { self.sandbox = sandbox }

    package func respond(to request: Request, context: APIContext) async throws -> Response {
        try await sandbox.take().respond(to: request, context)
    }
}
