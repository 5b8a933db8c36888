// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Web

/// Traces by when they began and how long they took, which shows at a glance what is unlike the others. The scale of durations
/// is logarithmic.
struct DurationDots {
    let traces: [TraceSummary]
    let window: TimeWindow
    let visit: Visit

    var html: HTML {
        guard let shortest = traces.map(\.duration).min(), let longest = traces.map(\.duration).max() else { return "" }
        let low = floor(log10(Double(max(1, shortest))))
        let high = max(low + 1, ceil(log10(Double(max(1, longest)))))
        func text(_ power: Double) -> String { Quantity.seconds.text(pow(10, power) / 1e6) }
        // Failed ones are drawn last, above the others.
        let dots = traces.sorted { $0.errorCount < $1.errorCount }.map { trace -> HTML in
            let x = min(999, max(1, (Double(trace.start) / 1e6 - window.start) / window.length * 1_000))
            let y = 195 - (log10(Double(max(1, trace.duration))) - low) / (high - low) * 190
            let words =
                "\(trace.name), \(Quantity.seconds.text(Double(trace.duration) / 1e6))\(trace.errorCount > 0 ? ", failed" : "")"
            return """
                <a href="\(visit.link("traces/\(trace.id)"))" tabindex="-1"><path class="mark\(trace.errorCount > 0 ? " bad" : "")" \
                d="M\(String((x * 10).rounded() / 10)) \(String((y * 10).rounded() / 10))h0.01"><title>\(words)</title></path></a>
                """
        }
        return """
            <figure class="chart"><figcaption><span>Durations of the traces below</span></figcaption>\
            <div class="plot" role="img" aria-label="\(traces.count) traces between \(text(low)) and \(text(high)); the list below has them all.">\
            <div class="y" aria-hidden="true"><span>\(text(high))</span><span>\(text((low + high) / 2))</span><span>\(text(low))</span></div>\
            <svg viewBox="0 0 1000 200" preserveAspectRatio="none"><path class="grid" d="M0 1H1000M0 100H1000M0 199H1000"/>\(dots)</svg>\
            <div class="x" aria-hidden="true">\(window.axis)</div>\
            </div></figure>
            """
    }
}
