// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing
import Web

@testable import Console

/// What is computed before anything is drawn.
struct DrawingTests {
    private static func span(
        _ id: String, _ parent: String?, _ start: Int64, _ duration: Int64, isError: Bool = false
    ) -> Trace.Span {
        Trace.Span(
            id: id, name: "n\(id)", service: "s", kind: "server", start: start, duration: duration, isError: isError,
            parent: parent, links: [], attributes: [], sender: [], events: [])
    }

    private static let visit = Visit(
        path: "/console/traces/t", subject: "t", query: "", now: 1_800_000_000,
        client: ObservatoryClient(answer: { _ in throw ClientError.notFound }, gate: Gate(1)))

    @Test func `text of strangers is escaped, and our own pieces are not`() {
        let name = "<script>alert('1')</script> & \"x\""
        let inner: HTML = "<b>\(name)</b>"
        let page: HTML = "<p>\(inner)\([inner])\(7)</p>"
        let escaped = "<b>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;</b>"
        #expect(page.text == "<p>\(escaped)\(escaped)7</p>")
    }

    @Test func `a trace waits for the child that ended last, and for itself between children`() {
        // The second child runs beside the first and ends last; the third ends after its parent and is not waited for.
        let trace = Trace(
            id: "t",
            spans: [
                Self.span("a", nil, 0, 100), Self.span("b", "a", 10, 30), Self.span("c", "a", 50, 40),
                Self.span("d", "c", 60, 20), Self.span("e", "a", 90, 500),
            ])
        let own = CriticalPath(trace).own
        // e is the longest of all, but its parent did not wait for it.
        #expect(own == [0: 10 + 10 + 10, 1: 30, 2: 10 + 10, 3: 20])
    }

    @Test func `the critical path covers its root without gap or overlap, whatever the spans`() {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<300 {
            let count = Int.random(in: 1...40, using: &random)
            let spans = (0..<count).map { place in
                Self.span(
                    "\(place)", place == 0 ? nil : "\(Int.random(in: 0..<place, using: &random))",
                    place == 0 ? 0 : Int64.random(in: -50...1_000, using: &random),
                    place == 0 ? 1_000 : Int64.random(in: 0...400, using: &random))
            }
            let trace = Trace(id: "t", spans: spans)
            let pieces = CriticalPath(trace).pieces
            let root = trace.spans[0]
            #expect(pieces.first?.start == root.start && pieces.last?.end == root.end)
            for (piece, next) in zip(pieces, pieces.dropFirst()) { #expect(piece.end == next.start) }
            for piece in pieces {
                let span = trace.spans[piece.place]
                #expect(piece.start >= span.start && piece.end <= span.end && piece.start < piece.end)
            }
        }
    }

    @Test func `each span of a trace is shown once, also those that are each other's parents`() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            let count = Int.random(in: 1...30, using: &random)
            let spans = (0..<count).map { place in
                Self.span(
                    "\(place)", Bool.random(using: &random) ? "\(Int.random(in: 0..<count + 3, using: &random))" : nil,
                    0, 1)
            }
            let rows = Trace(id: "t", spans: spans).rows
            #expect(rows.map(\.place).sorted() == Array(0..<count))
        }
    }

    @Test func `services stand right of all that call them, and circles end`() {
        func map(_ edges: [(String, String)]) -> [String: Int] {
            let names = Set(edges.flatMap { [$0.0, $0.1] }).sorted()
            return ServiceMap(
                nodes: names.map { ServiceMap.Node(name: $0) },
                edges: edges.map { ServiceMap.Edge(caller: $0.0, callee: $0.1, rate: 1, errors: 0) }
            ).columns
        }
        #expect(map([("a", "b"), ("b", "c"), ("a", "c")]) == ["a": 0, "b": 1, "c": 2])
        let circle = map([("a", "b"), ("b", "a"), ("b", "b")])
        #expect(Set(circle.keys) == ["a", "b"])
    }

    @Test(arguments: [
        (Quantity.seconds, 0.0000123, "12.3 µs"), (.seconds, 0.25, "250 ms"), (.seconds, 61, "61 s"),
        (.seconds, 600, "10 min"), (.bytes, 1_536, "1.5 KiB"), (.bytes, 12, "12 B"), (.share, 0.000_01, "<0.01 %"),
        (.share, 0.5, "50 %"), (.share, 0, "0 %"), (.count, 12_345, "12.3 k"), (.count, 950, "950"),
        (.perSecond, 0.5, "0.5/s"), (.money("EUR"), 1_234_567.5, "1,234,567.50 EUR"), (.count, .nan, "–"),
        (.seconds, 0, "0"), (.count, -3, "-3"),
    ])
    func `numbers are read as people read them`(quantity: Quantity, value: Double, text: String) {
        #expect(quantity.text(value) == text)
    }

    @Test func `windows lie on whole steps, and what cannot be one is a quarter of an hour`() {
        for name in TimeWindow.choices {
            let window = TimeWindow(name, from: nil, to: nil, now: 1_800_000_123.4)
            // Never in the time to come, and what is asked about one moment is asked about now.
            #expect(window.name == name && window.end <= 1_800_000_123.4 && window.end + window.step > 1_800_000_123.4)
            #expect(window.moment == 1_800_000_123.4)
            #expect(window.end.truncatingRemainder(dividingBy: window.step) == 0)
            #expect((30...250).contains(window.length / window.step))
        }
        for (from, to) in [("x", "1"), ("5", "4"), ("nan", "inf"), ("1", "1e300")] {
            #expect(TimeWindow(nil, from: from, to: to, now: 1_800_000_000).name == "15m")
        }
        let given = TimeWindow("1h", from: "1000", to: "4600", now: 1_800_000_000)
        #expect(given.start == 1_000 && given.end == 4_600 && given.name == nil)
    }

    @Test func `what has ended is not said to be so now, and means are over the whole time`() {
        let window = TimeWindow("15m", from: nil, to: nil, now: 1_800_000_000)
        #expect(window.current([(window.end - 400, 7)]) == nil && window.current([(window.end - 30, 7)]) == 7)
        var red = RED(steps: window.steps)
        red.rates = (0..<18).map { (window.start + Double($0) * window.step, 100) }
        red.errors = [(window.start, 45)]
        #expect((red.rate - 100 * 18 / window.steps).magnitude < 1e-9 && red.errorShare == 0.025)
    }

    @Test func `charts have room for all values, whatever they are, and are drawn in time`() {
        let window = TimeWindow("15m", from: nil, to: nil, now: 1_800_000_000)
        func chart(_ values: [Double], count: Int = 1, isStacked: Bool = false) -> TimeChart {
            let points = values.enumerated().map { (time: window.start + Double($0) * window.step, value: $1) }
            return TimeChart(
                title: "t", window: window,
                lines: (0..<count).map { TimeChart.Line(name: "\($0)", hue: "0", points: points) }, isStacked: isStacked
            )
        }
        for values in [[-5.0, -4], [0, 0], [-1, 2, .nan], [.infinity, 3], [1e300, 1], [], [1e-300]] {
            for isStacked in [false, true] {
                let chart = chart(values, isStacked: isStacked)
                for value in values where value.isFinite && (value >= 0 || !isStacked) {
                    #expect((0.0...200).contains(chart.scale.y(value)), "\(values)")
                }
                #expect(!chart.html.text.contains("nan") && !chart.html.text.contains("inf"), "\(values)")
            }
        }
        // As many series as there may be in an answer; this took minutes when the scale was found anew for each point.
        let many = chart((0..<180).map(Double.init), count: 5_000)
        #expect(many.html.text.components(separatedBy: "<path class=\"line").count == 61)
        #expect(many.html.text.contains("and 4976 more"))
    }

    @Test func `of a trace that is too long the failed and the longest spans are shown`() {
        let spans =
            [Self.span("root", nil, 0, 1_000_000)]
            + (0..<9_000).map {
                Self.span("c\($0)", "root", Int64($0) * 100, $0 == 8_000 ? 100 : 1, isError: $0 == 8_500)
            }
        let trace = Trace(id: "t", spans: spans)
        let html = Waterfall(trace, CriticalPath(trace), logs: [], Self.visit).html.text
        #expect(html.components(separatedBy: "<details").count - 1 == Waterfall.rowsMax)
        for id in ["root", "c0", "c8000", "c8500"] { #expect(html.contains("id=\"span-\(id)\"")) }
        #expect(html.contains("\(spans.count - Waterfall.rowsMax) of \(spans.count) spans are left out"))
    }

    @Test func `attributes are read as they are written`() throws {
        let tags = try Tags.parse(#"a=1  http.route=/v1/orders note="two \"words\"" empty= "#)
        #expect(tags.map(\.name) == ["a", "http.route", "note", "empty"])
        #expect(tags.map(\.value) == ["1", "/v1/orders", #"two "words""#, ""])
        for value in ["plain", "two words", #"a "quoted" one"#, #"back\slash"#, #"C:\a b"#] {
            let read = try Tags.parse("n=\(value.quoted)")
            #expect(read.map(\.value) == [value])
        }
        #expect(throws: ClientError.self) { try Tags.parse("nothing") }
    }

    @Test func `nobody is led away after signing in`() {
        for address in [
            "https://evil.example/", "//evil.example", "/console//evil.example", "/\\evil", "javascript:1", "",
        ] {
            #expect(SignIn.destination(address) == "/console/overview")
        }
        #expect(SignIn.destination("/console/traces?errors=1") == "/console/traces?errors=1")
    }
}
