// SPDX-License-Identifier: Apache-2.0

internal import Instrumentation
internal import Kernel
internal import ServiceContextModule
internal import Synchronization
internal import Tracing

/// What a batch has handed to a consumer, to be told as spans once its transaction is over: the thread that writes is what all
/// changes of the shop wait for. They say how each went, whatever became of the batch.
final class Deliveries: Sendable {
    private let noted = Mutex<[Delivery]>([])

    var all: [Delivery] { noted.withLock { $0 } }

    /// For a body that is run again.
    func forget() { noted.withLock { $0 = [] } }

    /// Hands `event` over, and notes how long it took and what was thrown.
    func noting(_ event: Event, _ handle: () throws -> Void) rethrows {
        guard let trace = event.trace else { return try handle() }
        let start = DefaultTracerClock.now
        func note(_ error: (any Error)?) {
            let delivery = Delivery(event: event, trace: trace, start: start, end: DefaultTracerClock.now, error: error)
            noted.withLock { $0.append(delivery) }
        }
        do { try handle() } catch {
            note(error)
            throw error
        }
        note(nil)
    }

    /// Does what the events do together; where that fails, each of them has failed.
    func finishing(_ finish: () throws -> Void) rethrows {
        do { try finish() } catch {
            noted.withLock { deliveries in
                for place in deliveries.indices { deliveries[place].error = error }
            }
            throw error
        }
    }
}

/// An event that was handed to a consumer.
struct Delivery: Sendable {
    let event: Event
    let trace: String
    let start: DefaultTracerClock.Timestamp
    let end: DefaultTracerClock.Timestamp
    var error: (any Error)?

    /// Part of the trace in which the event was written, however much later (semantic conventions 1.44, messaging spans).
    func tell(of consumer: String) {
        var context = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(trace, into: &context, using: ParentExtractor())
        let span = startSpan("process \(event.type)", at: start, context: context, ofKind: .consumer)
        span.addLink(SpanLink(context: context, attributes: [:]))
        span.attributes = [
            "messaging.system": "vitrine", "messaging.operation.type": "process",
            "messaging.operation.name": "process", "messaging.destination.name": .string(event.type),
            "messaging.message.id": .string(event.id.rawValue), "messaging.consumer.group.name": .string(consumer),
            "vitrine.event.subject": .string(event.subject),
        ]
        if let error {
            span.recordError(error, attributes: [:], at: end)
            span.setStatus(.init(code: .error))
        }
        span.end(at: end)
    }

    private struct ParentExtractor: Extractor {
        func extract(key: String, from trace: String) -> String? { key == "traceparent" ? trace : nil }
    }
}
