// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Foundation
import Testing

@testable import Telemetry

@Suite struct MetricTests {
    private func text(_ registry: MetricRegistry, _ format: ExpositionFormat = .prometheusText) -> String {
        String(decoding: registry.exposition(format), as: UTF8.self)
    }

    @Test func `counters, gauges, recorders and timers become series`() {
        let registry = MetricRegistry(
            .init(descriptions: [
                MetricDescription(
                    "shop.orders", .counter, unit: "{order}", labels: ["currency"], "Orders \"placed\".\nAll.")
            ]))
        registry.makeCounter(label: "shop.orders", dimensions: [("currency", "GBP")]).increment(by: 3)
        registry.makeCounter(label: "shop.orders", dimensions: [("currency", "GBP")]).increment(by: 4)
        registry.makeFloatingPointCounter(label: "shop.weight", dimensions: []).increment(by: 1.5)
        registry.makeMeter(label: "queue.depth", dimensions: []).set(Int64(7))
        registry.makeRecorder(label: "size", dimensions: [], aggregate: true).record(Int64(30))
        registry.makeTimer(label: "wait", dimensions: [("pool", "a\"b\\c\nd")]).recordNanoseconds(20_000_000)
        let text = text(registry)
        #expect(text.contains("# HELP shop_orders_total Orders \"placed\".\\nAll.\n# TYPE shop_orders_total counter\n"))
        #expect(text.contains("shop_orders_total{currency=\"GBP\"} 7\n"))
        #expect(text.contains("shop_weight_total 1.5\n"))
        #expect(text.contains("queue_depth 7\n"))
        #expect(text.contains("size_bucket{le=\"25\"} 0\nsize_bucket{le=\"50\"} 1\n"))
        #expect(text.contains("wait_seconds_bucket{pool=\"a\\\"b\\\\c\\nd\",le=\"0.025\"} 1\n"))
        #expect(text.contains("wait_seconds_count{pool=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test func `the same name with other labels, another kind or beyond the budget never traps`() {
        let registry = MetricRegistry(.init(seriesPerMetricMax: 10))
        registry.makeCounter(label: "a", dimensions: [("x", "1")]).increment(by: 1)
        registry.makeCounter(label: "a", dimensions: [("y", "1"), ("x", "1")]).increment(by: 1)
        registry.makeTimer(label: "wait", dimensions: []).recordNanoseconds(1)
        let taken = registry.makeMeter(label: "wait_seconds", dimensions: [])
        taken.set(5.0)
        taken.increment(by: 2)
        for user in 0..<1_000 {
            registry.makeCounter(label: "by_user", dimensions: [("user", "\(user)")]).increment(by: 1)
        }
        let families = Dictionary(uniqueKeysWithValues: registry.snapshot().map { ($0.prometheusName, $0) })
        #expect(families["a"]?.points.count == 2)
        #expect(families["by_user"]?.points.count == 11)
        let all = families["by_user"]?.points.reduce(0.0) { sum, point in
            if case .sum(let value) = point.value { sum + value } else { sum }
        }
        #expect(all == 1_000, "nothing that was counted is lost")
        let text = text(registry)
        #expect(text.contains("by_user_total{otel_metric_overflow=\"true\"} 990\n"))
        #expect(text.contains("vitrine_telemetry_metrics_rejected_total 2\n"))
        #expect(text.contains("vitrine_telemetry_metrics_overflowed_total 990\n"))
    }

    @Test func `what was destroyed begins anew, however often it was asked for`() {
        let registry = MetricRegistry()
        let labels = [("currency", "GBP")]
        registry.makeCounter(label: "orders", dimensions: labels).increment(by: 5)
        let counter = registry.makeCounter(label: "orders", dimensions: labels)
        registry.makeCounter(label: "orders", dimensions: [("currency", "EUR")]).increment(by: 7)
        registry.destroyCounter(counter)
        registry.makeCounter(label: "orders", dimensions: labels).increment(by: 1)
        registry.makeCounter(label: "orders", dimensions: labels).increment(by: 1)
        let text = text(registry)
        #expect(text.contains("orders_total{currency=\"GBP\"} 2\n"))
        #expect(text.contains("orders_total{currency=\"EUR\"} 7\n"))
    }

    @Test func `exponential buckets hold every value within their bounds, whatever the range`() {
        var dice = SystemRandomNumberGenerator()
        for range in [1e-9...1e9, 0.99...1.01, 1...2, 1e-300...1e300] as [ClosedRange<Double>] {
            var buckets = ExponentialBuckets(bucketsMax: 160)
            var values: [Double] = []
            for _ in 0..<500 {
                let exponent = Double.random(in: log2(range.lowerBound)...log2(range.upperBound), using: &dice)
                values.append(exp2(exponent))
                buckets.record(values[values.count - 1])
            }
            #expect(buckets.positive.counts.reduce(0, +) == 500)
            #expect(buckets.positive.counts.count <= 160)
            // Counted anew from the bounds alone.
            let scale = buckets.scale
            for (place, count) in buckets.positive.counts.enumerated() where scale > -10 {
                let index = buckets.positive.offset + place
                let upper = ExponentialBuckets.upperBound(of: index, scale: scale) * (1 + 1e-12)
                let lower = ExponentialBuckets.upperBound(of: index - 1, scale: scale) * (1 - 1e-12)
                let inside = values.count { $0 > lower && $0 <= upper }
                #expect(inside >= Int(count))
            }
        }
        var powers = ExponentialBuckets(bucketsMax: 4)
        for value in [1.0, 2, 4, 0, -3] { powers.record(value) }
        #expect(powers.zeroCount == 1)
        #expect(powers.negative.counts.reduce(0, +) == 1)
    }

    @Test func `Accept chooses the format as Prometheus means it`() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        #expect(ExpositionFormat(accept: prometheus) == .openMetrics)
        #expect(ExpositionFormat(accept: nil) == .prometheusText)
        #expect(ExpositionFormat(accept: "text/plain, application/openmetrics-text;q=0.2") == .prometheusText)
        #expect(ExpositionFormat(accept: "*/*") == .prometheusText)
    }
}
