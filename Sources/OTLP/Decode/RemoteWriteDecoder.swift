// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Prometheus' remote write 1.0 into samples (prometheus/prompb/remote.proto): another message in the wire that OTLP has.
package struct RemoteWriteDecoder {
    package private(set) var batch = SampleBatch()
    package private(set) var metadata: [String: MetricMetadata] = [:]
    /// Native histograms, which are counted and not read.
    package private(set) var histograms = 0
    private let limits: DecodeLimits
    private var labelCount = 0

    private init(_ limits: DecodeLimits) { self.limits = limits }

    /// Reads a `WriteRequest`, once it is expanded.
    package static func decode(
        _ message: [UInt8], limits: DecodeLimits = DecodeLimits()
    ) throws(WireError) -> RemoteWriteDecoder {
        try message.withUnsafeBufferPointer { bytes throws(WireError) in
            var (decoder, reader) = (RemoteWriteDecoder(limits), ProtobufReader(UnsafeRawBufferPointer(bytes)))
            var row = Row()
            while let field = try reader.next(RemoteWriteFields.request) {
                if field == 1 { try decoder.series(&reader, bytes, &row) } else { try decoder.metadata(&reader, bytes) }
            }
            return decoder
        }
    }

    /// One series, whose labels may stand before or after its samples. Used again for the next, whose room it has.
    private struct Row {
        var labels: [(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)] = []
        var samples: [(time: Int64, value: Double)] = []
    }

    private mutating func series(
        _ reader: inout ProtobufReader, _ bytes: UnsafeBufferPointer<UInt8>, _ row: inout Row
    ) throws(WireError) {
        let frame = try reader.enter()
        row.labels.removeAll(keepingCapacity: true)
        row.samples.removeAll(keepingCapacity: true)
        while let field = try reader.next(RemoteWriteFields.series) {
            switch field {
            case 1: row.labels.append(try label(&reader, bytes))
            case 2: row.samples.append(try sample(&reader))
            default:
                histograms += 1
                try reader.leave(try reader.enter())
            }
        }
        try reader.leave(frame)
        guard !row.samples.isEmpty else { return }
        batch.begin(row.labels)
        for sample in row.samples { batch.add(sample.time, sample.value) }
        labelCount += row.labels.count
        try limits.check(items: batch.count)
        try limits.check(parts: labelCount)
    }

    private func label(
        _ reader: inout ProtobufReader, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(WireError) -> (name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        let frame = try reader.enter()
        var (name, value) = (TextRange.empty, TextRange.empty)
        while let field = try reader.next(RemoteWriteFields.label) {
            if field == 1 { name = try reader.text() } else { value = try reader.text() }
        }
        try reader.leave(frame)
        return (
            UnsafeBufferPointer(rebasing: bytes[name.range]), UnsafeBufferPointer(rebasing: bytes[value.range])
        )
    }

    private func sample(_ reader: inout ProtobufReader) throws(WireError) -> (time: Int64, value: Double) {
        let frame = try reader.enter()
        var (time, value) = (Int64(0), 0.0)
        while let field = try reader.next(RemoteWriteFields.sample) {
            if field == 1 { value = try reader.double() } else { time = Int64(bitPattern: try reader.integer()) }
        }
        try reader.leave(frame)
        return (time, value)
    }

    private static let types = [
        "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset",
    ]

    private mutating func metadata(
        _ reader: inout ProtobufReader, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(WireError) {
        let frame = try reader.enter()
        var (type, name, help, unit) = (0, "", "", "")
        while let field = try reader.next(RemoteWriteFields.metadata) {
            guard field != 1 else {
                type = Int(min(try reader.integer(), UInt64(Self.types.count - 1)))
                continue
            }
            let text = String(decoding: bytes[try reader.text().range], as: UTF8.self)
            switch field {
            case 2: name = text
            case 4: help = text
            default: unit = text
            }
        }
        try reader.leave(frame)
        if !name.isEmpty { metadata[name] = MetricMetadata(type: Self.types[type], help: help, unit: unit) }
    }
}

private enum RemoteWriteFields {
    static let request = Fields(["timeseries": 1, "metadata": 3])
    static let series = Fields(["labels": 1, "samples": 2, "histograms": 4])
    static let label = Fields(["name": 1, "value": 2])
    static let sample = Fields(["value": 1, "timestamp": 2])
    static let metadata = Fields(["type": 1, "metricFamilyName": 2, "help": 4, "unit": 5])
}
