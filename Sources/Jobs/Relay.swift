// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel
internal import Logging
package import Persistence
internal import ServiceLifecycle

/// Who wants to hear of which events.
package struct Subscription: Sendable {
    /// One batch of events, in the transaction that also moves the cursor, so that each event counts once.
    struct Batch {
        /// Hears of the next event.
        let handle: (Event, Transaction) throws -> Void
        /// Changes what the events of the batch change together.
        let finish: (Transaction) throws -> Void
    }

    /// Names the consumer's cursor; never changed once released.
    package let consumer: String
    package let types: Set<String>
    /// How long an event may lie before the consumer hears of it, and what comes meanwhile comes together.
    let patience: Duration
    /// Events of a batch, with those of other types.
    let batchMax: Int
    let begin: @Sendable () -> Batch

    /// A consumer that changes its own data with each event.
    package init(
        _ consumer: String, to types: Set<String>, handle: @escaping @Sendable (Event, Transaction) throws -> Void
    ) {
        self.consumer = consumer
        self.types = types
        (patience, batchMax) = (.milliseconds(200), 200)
        begin = { Batch(handle: handle, finish: { _ in }) }
    }

    /// A consumer that sums up, so that many events cost one change.
    package init<Sum>(
        _ consumer: String, to types: Set<String>, within patience: Duration, summing start: Sum,
        _ add: @escaping @Sendable (Event, inout Sum) throws -> Void,
        apply: @escaping @Sendable (Sum, Transaction) throws -> Void
    ) where Sum: Sendable {
        self.consumer = consumer
        self.types = types
        (self.patience, batchMax) = (patience, 1_000)
        begin = {
            var sum = start
            return Batch(handle: { event, _ in try add(event, &sum) }, finish: { try apply(sum, $0) })
        }
    }
}

/// Reads the outbox by cursor, for each consumer on its own, and hands its events over in order.
package struct Relay: Service {
    let database: Database
    let subscriptions: [Subscription]
    let supervision: Supervision
    let logger: Logger

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
                                if delivered < subscription.batchMax {
                                    try await Task.sleep(for: subscription.patience)
                                }
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
        // Read before, so that the thread that writes, for which all changes of the shop wait, need not.
        let (cursor, portion) = try await database.read { connection in
            let cursor = try Self.cursor(of: subscription, in: connection)
            let portion = try Outbox(clock: .system).portion(
                after: cursor, of: subscription.types, limit: subscription.batchMax, in: connection)
            return (cursor, portion)
        }
        let lag = Gauge(label: "vitrine.relay.lag", dimensions: [("consumer", subscription.consumer)])
        lag.record(portion.map { max(0, $0.oldest.duration(to: WallClock.system.now()) / .seconds(1)) } ?? 0)
        guard let portion else { return 0 }
        let deliveries = Deliveries()
        defer { for delivery in deliveries.all { delivery.tell(of: subscription.consumer) } }
        try await database.write { transaction in
            deliveries.forget()
            try transaction.serialize(on: "consumer \(subscription.consumer)")
            // Where another process has been here meanwhile, the next portion is another.
            guard try Self.cursor(of: subscription, in: transaction) == cursor else { return }
            let batch = subscription.begin()
            for event in portion.events {
                transaction.trace = event.trace
                try deliveries.noting(event) { try batch.handle(event, transaction) }
            }
            // Of all events and of none.
            transaction.trace = nil
            try deliveries.finishing { try batch.finish(transaction) }
            try transaction.execute(
                """
                INSERT INTO event_cursors (consumer, sequence) VALUES (\(subscription.consumer), \(portion.last))
                ON CONFLICT (consumer) DO UPDATE SET sequence = excluded.sequence
                """)
        }
        return portion.count
    }

    private static func cursor(of subscription: Subscription, in connection: Connection) throws -> Int64 {
        try connection.first("SELECT sequence FROM event_cursors WHERE consumer = \(subscription.consumer)") {
            try $0.next()
        } ?? 0
    }
}
