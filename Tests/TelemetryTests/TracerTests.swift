// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Foundation
import ServiceContextModule
import Synchronization
import Testing
import Tracing

@testable import Telemetry

/// Remembers what it is given.
final class MemorySink: SignalSink {
    let spans = Mutex<[SpanRecord]>([])
    let spare = Mutex<[[SpanRecord]]>([])
    let logs = Mutex<[LogRecord]>([])

    func take(spans: [SpanRecord], from resource: Resource) { self.spans.withLock { $0 += spans } }
    func take(spare spans: [SpanRecord], from resource: Resource) { spare.withLock { $0.append(spans) } }
    func flush() {}
    func take(logs: [LogRecord], from resource: Resource) { self.logs.withLock { $0 += logs } }
}

@Suite struct TracerTests {
    struct Refused: Error {}

    @Test func `spans nest, fail and end once`() throws {
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: sink)
        withTracer(telemetry.tracer) {
            withSpan("outer", ofKind: .server) { outer in
                outer.attributes["http.route"] = "/v1/orders"
                #expect(throws: Refused.self) {
                    try withSpan("inner", ofKind: .client) { _ in throw Refused() }
                }
                outer.end()
                outer.attributes["late"] = true
                outer.end()
            }
        }
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let spans = sink.spans.withLock { $0 }
        #expect(spans.map(\.name) == ["inner", "outer"])
        let (inner, outer) = (try #require(spans.first), try #require(spans.last))
        #expect(inner.parentID == outer.context.spanID && inner.context.traceID == outer.context.traceID)
        #expect(outer.parentID == 0)
        #expect(inner.isError && inner.events.first?.name == "exception")
        #expect(outer.attributes == [Attribute("http.route", .string("/v1/orders"))])
        #expect(inner.kind == .client && outer.kind == .server)
    }

    @Test func `all that a span says survives being packed`() throws {
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: sink)
        let own: [Attribute] = [
            Attribute("empty", .string("")), Attribute("long", .string(String(repeating: "é", count: 200))),
            Attribute("longer", .string(String(repeating: "x", count: 70_000))), Attribute("int", .int(.min)),
            Attribute("double", .double(-0.5)), Attribute("yes", .bool(true)), Attribute("no", .bool(false)),
            Attribute("bytes", .bytes([0, 1, 255])), Attribute(String(repeating: "n", count: 255), .int(0)),
            Attribute("array", .array([.string("a"), .array([]), .int(1)])),
            Attribute("map", .map([Attribute("inner", .map([])), Attribute("x", .double(1))])),
        ]
        let linked = TraceContext(traceID: .random(), spanID: 7, isSampled: true, isRandom: true, state: "a=b")
        var other = ServiceContext.topLevel
        other.trace = linked
        let span = telemetry.tracer.startSpan("whole", context: .topLevel, ofKind: .producer)
        span.attributes = ["facade": .stringArray(["p", "q"]), "text": "t"]
        for attribute in own { span.set(attribute.name, attribute.value) }
        span.addEvent(SpanEvent(name: "one", attributes: ["n": 1]))
        span.addEvent(SpanEvent(name: "two"))
        span.addLink(SpanLink(context: other, attributes: ["why": "so"]))
        span.setStatus(.init(code: .error, message: "no luck"))
        span.end()
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let record = try #require(sink.spans.withLock { $0 }.first)
        #expect(record.name == "whole" && record.kind == .producer && record.status == .error("no luck"))
        #expect(record.attributes.filter { own.contains($0) } == own && record.attributes.count == own.count + 2)
        #expect(record.attributes.contains(Attribute("facade", .array([.string("p"), .string("q")]))))
        #expect(record.events.map(\.name) == ["one", "two"])
        #expect(record.events.first?.attributes == [Attribute("n", .int(1))])
        #expect(record.links.map(\.context) == [linked] && record.end >= record.start)
        #expect(record.links.first?.attributes == [Attribute("why", .string("so"))])
    }

    @Test func `spans that outlive their root or never had its end are told of, too`() {
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: sink)
        func begin(_ name: String, _ parent: ServiceContext = .topLevel) -> LiveSpan {
            telemetry.tracer.startSpan(name, context: parent, ofKind: .internal)
        }
        let root = begin("root")
        let late = begin("late", root.context)
        begin("early", root.context).end()
        root.end()
        begin("later still", root.context).end()
        late.end()
        func abandon() { begin("left behind", begin("never ends").context).end() }
        abandon()
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let names = sink.spans.withLock { $0 }.map(\.name)
        #expect(names.sorted() == ["early", "late", "later still", "left behind", "root"])
        #expect(Set(sink.spans.withLock { $0 }.map(\.context.traceID)).count == 2)
    }

    @Test func `what ended under a root that is still open is in the account, and is told at the end`() {
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(.init(service: "test"), sink: sink)
        let root = telemetry.tracer.startSpan("open", context: .topLevel, ofKind: .server)
        for number in 0..<3 {
            telemetry.tracer.startSpan("ended \(number)", context: root.context, ofKind: .internal).end()
        }
        let text = String(decoding: telemetry.metrics.exposition(.openMetrics), as: UTF8.self)
        #expect(text.contains("vitrine_telemetry_spans_in_flight 3.0\n"))
        #expect(telemetry.imbalances == [])
        telemetry.finish()
        #expect(sink.spans.withLock { $0 }.map(\.name) == ["ended 0", "ended 1", "ended 2"])
        root.end()
        telemetry.finish()
        #expect(sink.spans.withLock { $0 }.last?.name == "open")
        #expect(telemetry.imbalances == [])
    }

    @Test func `exemplars lead to traces that are kept, and to no others`() {
        var configuration = ProcessTelemetry.Configuration(service: "test")
        configuration.sampling.share = 0
        configuration.sampling.slowestPerRoute = 0
        configuration.sampling.firstPerRoute = 0
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(configuration, sink: sink)
        let timer = telemetry.metrics.makeTimer(label: "wait", dimensions: [])
        withTracer(telemetry.tracer) {
            for number in 0..<100 {
                withSpan("work") { span in
                    timer.recordNanoseconds(Int64(number) * 20_000_000)
                    if number % 10 == 3 { span.setStatus(.init(code: .error)) }
                }
            }
        }
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let kept = Set(sink.spans.withLock { $0 }.map(\.context.traceID.hex))
        #expect(kept.count == 10)
        let text = String(decoding: telemetry.metrics.exposition(.openMetrics), as: UTF8.self)
        let shown = text.matches(of: #/trace_id="([0-9a-f]{32})"/#).map { String($0.output.1) }
        #expect(!shown.isEmpty)
        #expect(Set(shown).isSubset(of: kept))
        #expect(text.contains("vitrine_telemetry_spans_total{outcome=\"sampled_out\"} 90.0\n"))
        #expect(text.contains("vitrine_telemetry_spans_total{outcome=\"delivered\"} 10.0\n"))
        #expect(text.contains("vitrine_telemetry_spans_produced_total 100.0\n"))
        #expect(text.contains("vitrine_telemetry_spans_in_flight 0.0\n"))
    }

    @Test(arguments: [0, 30, 100_000])
    func `what is sampled out is given as spare, whole traces at the rate that is asked for`(perSecondMax: Int) {
        var configuration = ProcessTelemetry.Configuration(service: "test")
        configuration.sampling.share = 0
        configuration.sampling.slowestPerRoute = 0
        configuration.sampling.firstPerRoute = 0
        configuration.spareSpansPerSecondMax = perSecondMax
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(configuration, sink: sink)
        withTracer(telemetry.tracer) {
            for number in 0..<1_000 {
                withSpan("outer") { outer in
                    withSpan("inner") { _ in }
                    withSpan("inner") { _ in }
                    if number % 100 == 3 { outer.setStatus(.init(code: .error)) }
                }
            }
        }
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let (kept, spare) = (sink.spans.withLock { $0 }, sink.spare.withLock { $0 })
        #expect(kept.count == 30)
        #expect(spare.allSatisfy { $0.count == 3 && Set($0.map(\.context.traceID)).count == 1 })
        #expect(Set(spare.joined().map(\.context.traceID)).isDisjoint(with: kept.map(\.context.traceID)))
        switch perSecondMax {
        case 0: #expect(spare.isEmpty)
        case 30: #expect((10...600).contains(spare.count))
        default: #expect(spare.count == 990)
        }
    }
}
