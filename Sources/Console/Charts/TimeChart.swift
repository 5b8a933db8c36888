// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Web

/// Lines over time. The words around it are text of the page, which stays readable on a phone; the drawing is stretched.
struct TimeChart {
    struct Line {
        let name: String
        /// Which colour: 0 to 7, or `ok`, `bad` and so on.
        let hue: String
        let points: [(time: Double, value: Double)]
        var address: String?
    }

    /// Something that stands for one trace.
    struct Mark {
        let time: Double
        let value: Double
        let address: String
        let words: String
    }

    let title: String
    let window: TimeWindow
    var quantity = Quantity.count
    let lines: [Line]
    var marks: [Mark] = []
    /// Where the traces and the logs behind it are.
    var links: [(title: String, address: String)] = []
    /// Whether values are added up on each other, as counts are.
    var isStacked = false

    fileprivate static let (width, height) = (1_000.0, 200.0)

    /// Lines that are drawn; further ones are only counted.
    private static let linesMax = 60

    var html: HTML {
        let scale = scale
        return """
            <figure class="chart">
            <figcaption><span>\(title)</span><span class="now">\(latest)</span></figcaption>
            <div class="plot" tabindex="0" role="img" aria-label="\(words)" data-chart="\(data)">
            <div class="y" aria-hidden="true"><span>\(quantity.text(scale.top))</span>\
            <span>\(quantity.text((scale.top + scale.bottom) / 2))</span><span>\(quantity.text(scale.bottom))</span></div>
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" preserveAspectRatio="none" aria-hidden="true">
            <path class="grid" d="M0 1H1000M0 100H1000M0 199H1000"/>\(HTML(pieces: isStacked ? columns(scale) : curves(scale) + dots(scale)))</svg>
            <div class="x" aria-hidden="true">\(window.axis)</div></div>
            \(legend)\(behind)
            </figure>
            """
    }

    // MARK: Scale

    /// What stands at the upper and the lower edge, and the upper edge of each line.
    struct Scale {
        let top: Double
        var bottom = 0.0
        let tops: [[(time: Double, value: Double)]]

        func y(_ value: Double) -> Double {
            TimeChart.height - 1 - (value - bottom) / (top - bottom) * (TimeChart.height - 2)
        }
    }

    var scale: Scale {
        let tops = stacked
        let values = (tops.flatMap { $0.map(\.value) } + marks.map(\.value)).filter(\.isFinite)
        let lowest = min(values.min() ?? 0, 0)
        return Scale(
            top: Self.round(values.max() ?? 0, none: lowest < 0 ? 0 : 1),
            bottom: -Self.round(-lowest, none: 0), tops: tops)
    }

    /// A round number that is no less.
    private static func round(_ value: Double, none: Double) -> Double {
        guard value > 0 else { return none }
        let magnitude = pow(10, floor(log10(value)))
        return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].first { $0 * magnitude >= value } ?? 10) * magnitude
    }

    private var stacked: [[(time: Double, value: Double)]] {
        let drawn = lines.prefix(Self.linesMax)
        guard isStacked else { return drawn.map(\.points) }
        var below: [Double: Double] = [:]
        return drawn.map { line in
            line.points.map { point in
                let value = below[point.time, default: 0] + (point.value.isFinite ? point.value : 0)
                below[point.time] = value
                return (point.time, value)
            }
        }
    }

    private func x(_ time: Double) -> Double { (time - window.start) / window.length * Self.width }

    // MARK: Drawing

    private func curves(_ scale: Scale) -> [HTML] {
        lines.prefix(Self.linesMax).map { line in
            var (path, last): (String, Double?) = ("", nil)
            for point in line.points where point.value.isFinite {
                // Where points are missing the line is broken, not drawn through.
                let isNext = last.map { point.time - $0 <= window.step * 1.5 } ?? false
                path += (isNext ? "L" : "M") + Self.digits(x(point.time)) + " " + Self.digits(scale.y(point.value))
                if !isNext { path += "h0.01" }
                last = point.time
            }
            return "<path class=\"line s\(line.hue)\" d=\"\(path)\"/>"
        }
    }

    private func columns(_ scale: Scale) -> [HTML] {
        let width = max(1, window.step / window.length * Self.width - 1)
        return zip(lines, scale.tops).map { line, tops in
            let bars = zip(line.points, tops).compactMap { point, top -> String? in
                guard point.value > 0, point.value.isFinite else { return nil }
                let (left, upper) = (x(top.time) - width, scale.y(top.value))
                return "M\(Self.digits(left)) \(Self.digits(upper))h\(Self.digits(width))"
                    + "V\(Self.digits(scale.y(top.value - point.value)))h-\(Self.digits(width))z"
            }
            return "<path class=\"area f\(line.hue)\" d=\"\(bars.joined())\"/>"
        }
    }

    private func dots(_ scale: Scale) -> [HTML] {
        marks.filter { $0.value.isFinite && (window.start...window.end).contains($0.time) }.map { mark in
            """
            <a href="\(mark.address)" tabindex="-1"><path class="mark" d="M\(Self.digits(x(mark.time))) \
            \(Self.digits(scale.y(mark.value)))h0.01"><title>\(mark.words)</title></path></a>
            """
        }
    }

    private static func digits(_ value: Double) -> String { String((value * 10).rounded() / 10) }

    // MARK: Words

    private var latest: String {
        lines.count == 1 ? quantity.text(window.current(lines[0].points)) : ""
    }

    private var words: String {
        let each = lines.prefix(8).map { line -> String in
            guard let highest = line.points.filter(\.value.isFinite).max(by: { $0.value < $1.value }) else {
                return "\(line.name): nothing"
            }
            return "\(line.name): now \(quantity.text(window.current(line.points))), highest "
                + "\(quantity.text(highest.value)) at \(Clock.time(highest.time))"
        }
        return "\(title), \(window.words). " + (each.isEmpty ? "Nothing yet." : each.joined(separator: "; ") + ".")
    }

    private var legend: HTML {
        guard lines.count > 1 else { return lines.isEmpty ? "<p class=\"empty\">Nothing in this time.</p>" : "" }
        let items = lines.prefix(24).map { line -> HTML in
            let value = quantity.text(window.current(line.points))
            let name: HTML = line.address.map { "<a href=\"\($0)\">\(line.name)</a>" } ?? "\(line.name)"
            return "<li>\(Frame.dot(hue: line.hue))\(name) <b>\(value)</b></li>"
        }
        let more: HTML = lines.count > 24 ? "<li>and \(lines.count - 24) more</li>" : ""
        return "<ul class=\"legend\">\(items)\(more)</ul>"
    }

    private var behind: HTML {
        links.isEmpty
            ? "" : "<p class=\"behind\">\(links.map { "<a href=\"\($0.address)\">\($0.title)</a> " as HTML })</p>"
    }

    /// For the crosshair: times, and for each line its values as text at those times.
    private var data: String {
        let times = Set(lines.flatMap { $0.points.map(\.time) }).sorted()
        let places = Dictionary(uniqueKeysWithValues: times.enumerated().map { ($1, $0) })
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("x")
        writer.beginArray()
        for time in times { writer.raw(Self.digits(x(time) / 10)) }
        writer.endArray()
        writer.name("t")
        writer.beginArray()
        for time in times { writer.string(Clock.date(time)) }
        writer.endArray()
        writer.name("s")
        writer.beginArray()
        for line in lines.prefix(24) {
            var values = [String](repeating: "–", count: times.count)
            for point in line.points { places[point.time].map { values[$0] = quantity.text(point.value) } }
            writer.beginArray()
            writer.string(line.name)
            for value in values { writer.string(value) }
            writer.endArray()
        }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// A line without a scale, in a row of a table.
enum Sparkline {
    static func html(_ points: [(time: Double, value: Double)], _ window: TimeWindow, hue: String = "0") -> HTML {
        let highest = points.map(\.value).filter(\.isFinite).max() ?? 0
        let top = highest > 0 ? highest : 1
        var path = ""
        for point in points where point.value.isFinite {
            let x = ((point.time - window.start) / window.length * 1_000).rounded() / 10
            let y = (min(2, 1 - point.value / top) * 180).rounded() / 10 + 1
            path += "\(path.isEmpty ? "M" : "L")\(x) \(y)"
        }
        return """
            <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">\
            <path class="line s\(hue)" d="\(path)"/></svg>
            """
    }
}

extension HTML {
    init(pieces: [HTML]) { self = "\(pieces)" }
}
