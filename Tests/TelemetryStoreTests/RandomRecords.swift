// SPDX-License-Identifier: Apache-2.0

import Telemetry
import TestSupport

/// Traces and log records as shops have them, and some as they have not.
struct RandomRecords {
    var generator: SeededGenerator
    private let services = ["shop", "payments", "mail"]

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
    private mutating func one<Element>(of choices: [Element]) -> Element {
        choices[Int.random(in: choices.indices, using: &generator)]
    }
    private mutating func id() -> UInt64 { UInt64.random(in: 1 ... .max, using: &generator) }

    mutating func resource() -> Resource {
        Resource([
            Attribute("service.name", .string(one(of: services))),
            Attribute("service.version", .string(one(of: ["1", "2"]))),
        ])
    }

    mutating func value() -> AttributeValue {
        switch Int.random(in: 0..<9, using: &generator) {
        case 0: .bool(chance(50))
        case 1: .int(Int64.random(in: -3...600, using: &generator))
        case 2: .int(Int64.random(in: .min ... .max, using: &generator))
        case 3: .double(Double.random(in: -1...1, using: &generator))
        case 4: .bytes([0, 255, 7])
        case 5: .array([.int(1), .string("é")])
        case 6: .string("")
        case 7: .string("user-\(Int.random(in: 0..<5_000, using: &generator))")
        default: .string(one(of: ["GET", "POST", "/v1/products/{id}", "żółw 🐢"]))
        }
    }

    mutating func attributes() -> [Attribute] {
        (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
            Attribute(one(of: ["http.method", "http.route", "user.id", "n", "cart.total", "http.method"]), value())
        }
    }

    /// A trace that begins at `start`, in nanoseconds since 1970.
    mutating func trace(start: UInt64, spans count: Int, isError: Bool = false) -> [SpanRecord] {
        let id = TraceID(high: id(), low: id())
        var spans: [SpanRecord] = []
        for number in 0..<count {
            let parent = number == 0 ? nil : spans[Int.random(in: 0..<number, using: &generator)]
            let begin = (parent?.start ?? start) + UInt64.random(in: 0..<5_000_000, using: &generator)
            var span = SpanRecord(
                context: TraceContext(
                    traceID: id, spanID: self.id(), isSampled: chance(90), isRandom: chance(50),
                    state: chance(5) ? "vendor=1" : ""),
                parentID: parent?.context.spanID ?? 0, hasRemoteParent: chance(10),
                name: one(of: ["GET /v1/products", "POST /v1/orders", "SELECT", "charge"]),
                kind: one(of: [.internal, .server, .client, .producer, .consumer]), start: begin,
                end: begin + UInt64.random(in: 0..<80_000_000, using: &generator), attributes: attributes())
            if chance(4) { span.parentID = self.id() }
            if chance(20) { span.status = .ok }
            if chance(20) { span.events.append(.init(name: "exception", time: begin + 5, attributes: attributes())) }
            if chance(5) {
                span.links.append(
                    .init(
                        context: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: 3),
                        attributes: attributes()))
            }
            spans.append(span)
        }
        if isError { spans[count - 1].status = .error("card declined") }
        return spans
    }

    /// Log lines from `start` on.
    mutating func logs(start: UInt64, count: Int) -> [LogRecord] {
        (0..<count).map { number in
            let trace = TraceContext(traceID: TraceID(high: id(), low: id()), spanID: id())
            return LogRecord(
                time: start + UInt64(number) * 1_000_000, severity: one(of: [.debug, .info, .warn, .error]),
                body: one(of: [
                    "order \(Int.random(in: 0..<100_000, using: &generator)) placed", "cache miss", "",
                    "Zahlung abgelehnt: Straße",
                ]),
                scope: one(of: ["vitrine.orders", "vitrine.http"]), trace: chance(40) ? trace : nil,
                attributes: attributes())
        }
    }
}
