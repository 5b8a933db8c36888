// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Logging
package import Persistence
internal import ServiceLifecycle

/// Who wants to hear of which events.
package struct Subscription: Sendable {
    /// Names the consumer's cursor; never changed once released.
    package let consumer: String
    package let types: Set<String>
    /// Changes the consumer's own data. Runs in the transaction that also moves the cursor, so each event counts once.
    package let handle: @Sendable (Event, Transaction) throws -> Void

    package init(
        _ consumer: String, to types: Set<String>, handle: @escaping @Sendable (Event, Transaction) throws -> Void
    ) {
        self.consumer = consumer
        self.types = types
        self.handle = handle
    }
}

/// Reads the outbox by cursor, for each consumer on its own, and hands its events over in order.
package struct Relay: Service {
    let database: Database
    let subscriptions: [Subscription]
    let supervision: Supervision
    let logger: Logger

    /// How long an event may lie before a consumer hears of it.
    private static let pollInterval = Duration.milliseconds(200)
    private static let batchMax = 200

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                for subscription in subscriptions {
                    group.addTask {
                        await supervision.run("consumer \(subscription.consumer)") {
                            while !Task.isCancelled {
                                try await number()
                                let delivered = try await deliver(to: subscription)
                                // What comes meanwhile comes together, which costs the shop far less than one by one.
                                if delivered < Self.batchMax { try await Task.sleep(for: Self.pollInterval) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Hands over everything that waits, and returns when all consumers have caught up.
    package func drain() async {
        while await deliver() > 0 {}
    }

    /// One batch for each consumer. A consumer that fails keeps its place and does not hold up the others.
    private func deliver() async -> Int {
        var delivered = 0
        for subscription in subscriptions {
            do {
                try await number()
                delivered += try await deliver(to: subscription)
            } catch {
                logger.error(
                    "A consumer failed; it keeps its place and is tried again",
                    metadata: ["consumer": "\(subscription.consumer)", "error": "\(error)"])
            }
        }
        return delivered
    }

    private func number() async throws {
        guard database.dialect == .postgres else { return }
        let isNews = try await database.read { try $0.exists("SELECT 1 FROM events WHERE sequence IS NULL") }
        if isNews { try await database.write { try Outbox(clock: .system).number(in: $0) } }
    }

    private func deliver(to subscription: Subscription) async throws -> Int {
        let oldest = try await database.read { connection in
            let cursor = try Self.cursor(of: subscription, in: connection)
            return try connection.first(
                "SELECT occurred_at FROM events WHERE sequence > \(cursor) ORDER BY sequence LIMIT 1"
            ) { try $0.next(Timestamp.self) }
        }
        let lag = Gauge(label: "vitrine.relay.lag", dimensions: [("consumer", subscription.consumer)])
        lag.record(oldest.map { max(0, $0.duration(to: WallClock.system.now()) / .seconds(1)) } ?? 0)
        guard oldest != nil else { return 0 }
        let deliveries = Deliveries()
        defer { for delivery in deliveries.all { delivery.tell(of: subscription.consumer) } }
        return try await database.write { transaction in
            deliveries.forget()
            try transaction.serialize(on: "consumer \(subscription.consumer)")
            let cursor = try Self.cursor(of: subscription, in: transaction)
            let events = try Outbox(clock: .system).events(after: cursor, limit: Self.batchMax, in: transaction)
            for event in events where subscription.types.contains(event.type) {
                transaction.trace = event.trace
                try deliveries.noting(event) { try subscription.handle(event, transaction) }
            }
            guard let last = events.last else { return 0 }
            try transaction.execute(
                """
                INSERT INTO event_cursors (consumer, sequence) VALUES (\(subscription.consumer), \(last.sequence))
                ON CONFLICT (consumer) DO UPDATE SET sequence = excluded.sequence
                """)
            return events.count
        }
    }

    private static func cursor(of subscription: Subscription, in connection: Connection) throws -> Int64 {
        try connection.first("SELECT sequence FROM event_cursors WHERE consumer = \(subscription.consumer)") {
            try $0.next()
        } ?? 0
    }
}
