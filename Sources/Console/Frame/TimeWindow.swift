// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// The time that a page is about. Times are in seconds since 1970.
struct TimeWindow: Sendable {
    let start: Double
    let end: Double
    /// What is asked about one moment is asked about this one: charts end on a whole step before it.
    let moment: Double
    /// Between the points of a chart, in seconds.
    let step: Double
    /// Of the choice on the page, such as `15m`; `nil` where both ends were given.
    let name: String?

    static let choices = ["5m", "15m", "1h", "3h", "12h", "1d", "7d", "15d"]
    private static let lengths: [Double] = [300, 900, 3_600, 10_800, 43_200, 86_400, 604_800, 1_296_000]
    private static let steps: [Double] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
    ]
    /// Points of a chart, at most.
    private static let points = 180.0

    /// The last `name` up to `now`, or from `from` to `to`; a quarter of an hour where neither says anything that can be used.
    init(_ name: String?, from: String?, to: String?, now: Double) {
        if let from = from.flatMap(Double.init), let to = to.flatMap(Double.init), from < to, from > 0, to < 4e9 {
            step = Self.step(to - from)
            (start, end, moment, self.name) = (from, to, to, nil)
            return
        }
        let place = name.flatMap { Self.choices.firstIndex(of: $0) } ?? 1
        let length = Self.lengths[place]
        step = Self.step(length)
        // On whole steps, so that a chart that is drawn again has the same points; and none in the time to come.
        end = (now / step).rounded(.down) * step
        moment = now
        start = end - length
        self.name = Self.choices[place]
    }

    private static func step(_ length: Double) -> Double {
        steps.first { $0 >= max(5, length / points) } ?? 86_400
    }

    var length: Double { end - start }

    /// The range over which rates are taken: several samples of whoever sends, and no step left out.
    var rate: String { "\(Int(max(step, length >= 3_600 ? 120 : 60)))s" }

    /// All of it, as PromQL writes a range.
    var whole: String { "\(Int(length.rounded(.up)))s" }

    /// For people: every number says its window.
    var words: String { name.map { "last \($0)" } ?? Clock.span(start, end) }

    /// What an address says to mean this window.
    var address: String { name.map { "range=\($0)" } ?? "from=\(start)&to=\(end)" }

    /// How many points a series has that was there all the time.
    var steps: Double { (length / step).rounded(.down) + 1 }

    /// The last value of a series that has not ended.
    func current(_ points: [(time: Double, value: Double)]) -> Double? {
        points.last.flatMap { $0.time >= end - max(60, step * 1.5) ? $0.value : nil }
    }

    /// Five moments below a chart.
    var axis: HTML {
        HTML(pieces: [0, 0.25, 0.5, 0.75, 1].map { "<span>\(Clock.axis(start + $0 * length, in: self))</span>" })
    }

    /// As a search for traces says it.
    var searched: [(String, String)] { [("start", "\(Int64(start * 1e6))"), ("end", "\(Int64(moment * 1e6))")] }

    func nanoseconds(_ time: Double) -> String { "\(Int64(time * 1e9))" }
}

/// Times of day in UTC, which are the same for all who are on call.
enum Clock {
    /// `14:05:06`.
    static func time(_ seconds: Double) -> String { String(rfc3339(seconds).dropFirst(11).prefix(8)) }

    /// `14:05:06.123`.
    static func precise(microseconds: Int64) -> String {
        String(rfc3339(Double(microseconds) / 1e6).dropFirst(11).prefix(12))
    }

    /// `2026-11-26 14:05:06`.
    static func date(_ seconds: Double) -> String {
        String(rfc3339(seconds).prefix(19)).replacing("T", with: " ")
    }

    /// With the day where a window is longer than one, and without seconds where they say nothing.
    static func axis(_ seconds: Double, in window: TimeWindow) -> String {
        let text = date(seconds)
        return window.length > 86_400
            ? String(text.dropFirst(5).prefix(11)) : String(text.dropFirst(11).prefix(window.length < 600 ? 8 : 5))
    }

    static func span(_ start: Double, _ end: Double) -> String { "\(date(start)) to \(time(end)) UTC" }

    private static func rfc3339(_ seconds: Double) -> String {
        Timestamp(milliseconds: Int64(seconds * 1_000)).rfc3339
    }
}
