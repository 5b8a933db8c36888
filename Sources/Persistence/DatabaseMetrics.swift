// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Kernel

/// How busy the database is, as its callers feel it. Handlers are held, so that recording looks nothing up.
struct DatabaseMetrics: Sendable {
    /// Reads or writes.
    struct Operation: Sendable {
        let name: String
        private let duration: any TimerHandler
        private let waiting: any TimerHandler
        private let inFlight: any MeterHandler

        fileprivate init(_ name: String, _ dialect: Dialect) {
            self.name = name
            let labels = [
                ("db.system.name", dialect == .sqlite ? "sqlite" : "postgresql"), ("db.operation.name", name),
            ]
            let factory = MetricsSystem.factory
            duration = factory.makeTimer(label: "db.client.operation.duration", dimensions: labels)
            waiting = factory.makeTimer(label: "db.client.connection.wait_time", dimensions: labels)
            inFlight = factory.makeMeter(label: "vitrine.database.requests.in_flight", dimensions: labels)
        }

        func begins() -> ContinuousClock.Instant {
            inFlight.increment(by: 1)
            return .now
        }

        /// A connection has it.
        /// - Returns: nanoseconds.
        func waited(since start: ContinuousClock.Instant) -> Int64 {
            let waited = (ContinuousClock.now - start).wholeNanoseconds
            waiting.recordNanoseconds(waited)
            return waited
        }

        func ended(since start: ContinuousClock.Instant) {
            inFlight.decrement(by: 1)
            duration.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
        }
    }

    let read: Operation
    let write: Operation

    init(_ dialect: Dialect) {
        read = Operation("read", dialect)
        write = Operation("write", dialect)
    }
}
