// SPDX-License-Identifier: Apache-2.0

import ServiceContextModule
import Testing
import Tracing

@testable import Telemetry

@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    /// W3C Trace Context, section 3.2; what is not valid begins a trace of its own.
    @Test(arguments: [
        ("00-\(trace)-\(span)-01", true), ("00-\(trace)-\(span)-00", true), ("00-\(trace)-\(span)-ff", true),
        // A later version may go on behind a dash, and not otherwise.
        ("01-\(trace)-\(span)-01", true), ("cc-\(trace)-\(span)-01-what-comes", true),
        ("cc-\(trace)-\(span)-01.what", false), ("00-\(trace)-\(span)-01-more", false),
        ("ff-\(trace)-\(span)-01", false), ("0-\(trace)-\(span)-01", false), ("000-\(trace)-\(span)-01", false),
        ("00-\(trace.uppercased())-\(span)-01", false), ("00-00000000000000000000000000000000-\(span)-01", false),
        ("00-\(trace)-0000000000000000-01", false), ("00-\(trace)-\(span)-1", false), ("00-\(trace)-\(span)", false),
        ("00-\(trace)-\(span)-0g", false), (" 00-\(trace)-\(span)-01", false), ("", false),
        // Sent twice, as a server joins it.
        ("00-\(trace)-\(span)-01,00-\(trace)-\(span)-01", false), (String(repeating: "0", count: 100_000), false),
    ])
    func `traceparent is taken or refused by the specification`(header: String, isValid: Bool) {
        let context = TraceContext(traceparent: header)
        #expect((context != nil) == isValid)
        guard let context else { return }
        #expect(context.traceID.hex == Self.trace)
        #expect(context.spanHex == Self.span)
        #expect(context.traceparent.hasPrefix("00-\(Self.trace)-\(Self.span)-0"))
    }

    @Test func `flags that nobody knows yet are not handed on`() {
        #expect(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-ff")?.traceparent.hasSuffix("-03") == true)
        #expect(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-00")?.traceparent.hasSuffix("-00") == true)
    }

    @Test(arguments: [
        ("a=1,b=2", "a=1,b=2"), (" a=1 , ,b=2\t", "a=1,b=2"), ("a=1,a=2", "a=1"),
        ("tenant@system=x", "tenant@system=x"),
        ("A=1", ""), ("a", ""), ("a=", ""), ("a=b=c", ""), ("a=ü", ""), ("", ""),
        ((0..<33).map { "k\($0)=1" }.joined(separator: ","), ""),
        // Over 512 bytes the longest go first.
        (
            "big=\(String(repeating: "x", count: 200)),a=1,c=\(String(repeating: "y", count: 250)),d=\(String(repeating: "z", count: 100))",
            "a=1,d=\(String(repeating: "z", count: 100))"
        ),
    ])
    func `tracestate is handed on or dropped`(header: String, expected: String) {
        #expect(TraceState.normalized(header) == expected)
    }

    @Test func `baggage keeps what is valid and travels unchanged`() {
        let baggage = Baggage(header: "user=%C3%BC%20x;ttl=1, bad key=1,plan = gold ,=x,twice=1,twice=2,plan")
        #expect(baggage["user"] == "ü x")
        #expect(baggage["plan"] == "gold")
        #expect(baggage["twice"] == "2")
        #expect(baggage.header == "user=%C3%BC%20x;ttl=1,plan=gold,twice=2")
        #expect(Baggage(header: (0..<100).map { "k\($0)=1" }.joined(separator: ",")).members.count == 64)
        #expect(Baggage(header: "k=" + String(repeating: "x", count: 9_000)).members.isEmpty)
    }

    private struct Headers: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }

    @Test func `a context that comes in goes out, with the span at work in it`() {
        let telemetry = ProcessTelemetry(.init(service: "test"))
        let tracer = telemetry.tracer
        var context = ServiceContext.topLevel
        let headers = [
            "traceparent": "00-\(Self.trace)-\(Self.span)-01", "tracestate": "a=1", "baggage": "plan=gold",
            "x-correlation-id": "order-7",
        ]
        tracer.extract(headers, into: &context, using: Headers())
        let span = tracer.startSpan("work", context: context)
        var out: [String: String] = [:]
        tracer.inject(span.context, into: &out, using: Headers())
        span.end()
        #expect(out["traceparent"]?.hasPrefix("00-\(Self.trace)-") == true)
        #expect(out["traceparent"]?.contains(Self.span) == false)
        #expect(out["tracestate"] == "a=1")
        #expect(out["baggage"] == "plan=gold")
        #expect(out["x-correlation-id"] == "order-7")
        var hostile = ServiceContext.topLevel
        tracer.extract(["x-correlation-id": "a b\u{7}"], into: &hostile, using: Headers())
        #expect(hostile.correlationID == nil)
    }
}
