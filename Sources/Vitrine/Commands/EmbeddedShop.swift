// SPDX-License-Identifier: Apache-2.0

internal import Identity
internal import Kernel
internal import Logging
internal import Persistence
internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals
internal import Web

/// A shop that listens for as long as a command works with it.
enum EmbeddedShop {
    /// Starts the shop, runs `body` against its address, and stops it again.
    static func run<Result: Sendable>(
        _ shop: Shop, signals: Signals.Process? = nil, observatory: Observatory? = nil,
        stoppingOn stops: [UnixSignal] = [],
        _ body: @escaping @Sendable (ShopAddress) async throws -> Result
    ) async throws -> Result {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let health = signals.map { Signals.health(of: shop, $0, observatory) }
        let reports = signals.flatMap { signals in health.map { Signals.endpoints(signals.telemetry, $0) } } ?? []
        let application = shop.makeApplication(beside: reports) { port.yield($0) }
        let watching = observatory?.services(signals) ?? []
        let services: [any Service] = watching + (signals?.services ?? []) + [application] + (health.map { [$0] } ?? [])
        let group = ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: stops,
                logger: Logger(label: "vitrine.lifecycle")))
        return try await withThrowingTaskGroup(of: Result?.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                for await number in ports {
                    return try await body(ShopAddress(host: shop.configuration.host, port: number))
                }
                return nil
            }
            // Whichever ends first ends the other: the work is done, or the shop was told to stop.
            guard let first = try await tasks.next(), let result = first else {
                throw Failure(.unavailable, "The shop stopped before the work was done.")
            }
            await group.triggerGracefulShutdown()
            // The shop finishes what it took; cancelling it here would cut that short.
            _ = try await tasks.next()
            return result
        }
    }

    /// A key with every scope that ends by itself within a day.
    static func temporaryKey(_ shop: Shop, name: String) async throws -> String {
        let expiry = shop.clock.now().advanced(by: .seconds(86_400))
        let draft = APIKeyDraft(name: name, scopes: Scope.allCases, tier: .trusted, expiresAt: expiry)
        return try await shop.database.write { try shop.identity.keys.create(draft, by: name, in: $0).secret }
    }
}
