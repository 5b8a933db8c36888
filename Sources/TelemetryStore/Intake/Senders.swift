// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Who sends metrics, as Prometheus names them (OpenTelemetry, compatibility/prometheus_and_openmetrics.md, Resource attributes).
struct SenderLabels {
    /// `job` and `instance`, where the sender says them.
    let labels: [MetricLabel]
    /// All that it says of itself, as the labels of `target_info`; `nil` where it says no more than the above.
    let targetInfo: LabelSet?

    init(_ resource: Resource) {
        var (service, namespace, instance) = ("", "", "")
        var rest: [MetricLabel] = []
        for attribute in resource.attributes {
            switch attribute.name {
            case "service.name": service = attribute.value.text
            case "service.namespace": namespace = attribute.value.text
            case "service.instance.id": instance = attribute.value.text
            default: rest.append(MetricLabel(PrometheusName.label(attribute.name), attribute.value.text))
            }
        }
        labels = [
            MetricLabel("job", namespace.isEmpty ? service : "\(namespace)/\(service)"),
            MetricLabel("instance", instance),
        ].filter { !$0.value.isEmpty }
        targetInfo = rest.isEmpty ? nil : LabelSet([MetricLabel(LabelSet.name, "target_info")] + rest + labels)
    }
}

/// Series of one metric of one sender on their way into a batch.
struct MetricWriter {
    let name: String
    let labels: [MetricLabel]
    let time: Int64
    var isDelta = false

    func add(_ value: Double, suffix: String = "", _ more: [MetricLabel] = [], to batch: inout SampleBatch) {
        batch.begin(LabelSet([MetricLabel(LabelSet.name, name + suffix)] + labels + more), isDelta: isDelta)
        batch.add(time, value)
    }

    /// A histogram as buckets that each count all below their bound, the last one without bound, and its count and sum.
    func add(
        buckets: some Sequence<(upperBound: Double, count: UInt64)>, count: UInt64, sum: Double?,
        to batch: inout SampleBatch
    ) {
        var below: UInt64 = 0
        for bucket in buckets {
            below &+= bucket.count
            let bound = MetricLabel("le", SampleText.of(bucket.upperBound))
            add(Double(below), suffix: "_bucket", [bound], to: &batch)
        }
        add(Double(count), suffix: "_count", to: &batch)
        if let sum { add(sum, suffix: "_sum", to: &batch) }
    }
}

extension SampleBatch {
    /// What this process tells of itself. Times are in milliseconds since 1970.
    package init(_ families: [MetricFamily], from resource: Resource, at time: Int64) {
        self.init()
        let sender = SenderLabels(resource)
        for family in families {
            for point in family.points {
                let writer = MetricWriter(name: family.prometheusName, labels: point.labels + sender.labels, time: time)
                switch point.value {
                case .sum(let value): writer.add(value, suffix: "_total", to: &self)
                case .gauge(let value): writer.add(value, to: &self)
                case .histogram(let state):
                    writer.add(buckets: state.bounds, count: state.count, sum: state.sum, to: &self)
                }
            }
        }
        if let info = sender.targetInfo { add(info, time, 1) }
    }
}

extension [MetricFamily] {
    package var metadata: [String: MetricMetadata] {
        reduce(into: [:]) { metadata, family in
            let name = family.prometheusName + (family.kind == .counter ? "_total" : "")
            metadata[name] = MetricMetadata(type: family.kind.rawValue, help: family.about, unit: family.unit)
        }
    }
}
