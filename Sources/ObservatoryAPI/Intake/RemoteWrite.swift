// SPDX-License-Identifier: Apache-2.0

internal import CSnappy
internal import Telemetry

/// Prometheus' remote write 1.0: a snappy block of protobuf, read straight into columns.
enum RemoteWrite {
    enum Malformed: Error {
        case notSnappy
        case tooLarge
        case notProtobuf
    }

    /// Of one request, once it is expanded.
    private static let bytesMax = 64 << 20

    static func expanded(_ body: [UInt8]) throws(Malformed) -> [UInt8] {
        var count = 0
        let isFrame = body.withUnsafeBytes { bytes in
            snappy_uncompressed_length(bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, &count) == SNAPPY_OK
        }
        guard isFrame else { throw .notSnappy }
        guard count <= bytesMax else { throw .tooLarge }
        var isWhole = false
        let expanded = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            body.withUnsafeBytes { bytes in
                var written = count
                buffer.withMemoryRebound(to: CChar.self) { target in
                    isWhole =
                        snappy_uncompress(
                            bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, target.baseAddress, &written)
                        == SNAPPY_OK
                }
                initialized = isWhole ? written : 0
            }
        }
        guard isWhole else { throw .notSnappy }
        return expanded
    }

    /// `WriteRequest` (prometheus/prompb/remote.proto): timeseries = 1, metadata = 3.
    static func read(
        _ message: [UInt8]
    ) throws(Malformed) -> (batch: SampleBatch, metadata: [String: MetricMetadata], histograms: Int) {
        var (batch, metadata, histograms) = (SampleBatch(), [String: MetricMetadata](), 0)
        let isWhole = message.withUnsafeBufferPointer { bytes in
            Fields.forEach(of: bytes) { number, field in
                switch (number, field) {
                case (1, .bytes(let series)): return read(series: series, into: &batch, &histograms)
                case (3, .bytes(let bytes)): return read(metadata: bytes, into: &metadata)
                default: return true
                }
            }
        }
        guard isWhole else { throw .notProtobuf }
        return (batch, metadata, histograms)
    }

    /// `TimeSeries`: labels = 1, samples = 2. Labels come first in what is written; where they do not, they are sought first.
    private static func read(
        series: UnsafeBufferPointer<UInt8>, into batch: inout SampleBatch, _ histograms: inout Int
    ) -> Bool {
        // What has nothing costs nothing.
        guard !series.isEmpty else { return true }
        var labels: [(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)] = []
        labels.reserveCapacity(12)
        let hasLabels = Fields.forEach(of: series) { number, field in
            guard number == 1, case .bytes(let bytes) = field else { return true }
            var label = (name: bytes.none, value: bytes.none)
            let isWhole = Fields.forEach(of: bytes) { number, field in
                if case .bytes(let text) = field {
                    if number == 1 { label.name = text }
                    if number == 2 { label.value = text }
                }
                return true
            }
            labels.append(label)
            return isWhole
        }
        guard hasLabels else { return false }
        batch.begin(labels)
        return Fields.forEach(of: series) { number, field in
            // Native histograms, which are not kept.
            if number == 4 { histograms += 1 }
            guard number == 2, case .bytes(let bytes) = field else { return true }
            var (time, value) = (Int64(0), 0.0)
            let isWhole = Fields.forEach(of: bytes) { number, field in
                if number == 1, case .fixed64(let bits) = field { value = Double(bitPattern: bits) }
                if number == 2, case .varint(let number) = field { time = Int64(bitPattern: number) }
                return true
            }
            batch.add(time, value)
            return isWhole
        }
    }

    private static let types = [
        "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset",
    ]

    /// `MetricMetadata`: type = 1, metric_family_name = 2, help = 4, unit = 5.
    private static func read(
        metadata bytes: UnsafeBufferPointer<UInt8>, into metadata: inout [String: MetricMetadata]
    ) -> Bool {
        var (type, texts) = (0, [Int: String]())
        let isWhole = Fields.forEach(of: bytes) { number, field in
            switch field {
            case .varint(let value): if number == 1 { type = Int(min(value, 7)) }
            case .bytes(let bytes): texts[number] = String(decoding: bytes, as: UTF8.self)
            case .fixed64, .fixed32: break
            }
            return true
        }
        if let name = texts[2] {
            metadata[name] = MetricMetadata(type: types[type], help: texts[4] ?? "", unit: texts[5] ?? "")
        }
        return isWhole
    }
}

/// The fields of a protobuf message, one after the other, without a copy.
enum Fields {
    enum Field {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(UnsafeBufferPointer<UInt8>)
    }

    /// - Returns: Whether the message is whole, and `body` said so of each field.
    static func forEach(of bytes: UnsafeBufferPointer<UInt8>, _ body: (Int, Field) -> Bool) -> Bool {
        var place = 0
        while place < bytes.count {
            guard let tag = varint(bytes, &place) else { return false }
            let field: Field
            switch tag & 7 {
            case 0:
                guard let value = varint(bytes, &place) else { return false }
                field = .varint(value)
            case 1:
                guard let value = fixed(bytes, &place, 8) else { return false }
                field = .fixed64(value)
            case 2:
                guard let count = varint(bytes, &place), count <= UInt64(bytes.count - place) else { return false }
                field = .bytes(UnsafeBufferPointer(rebasing: bytes[place..<place + Int(count)]))
                place += Int(count)
            case 5:
                guard let value = fixed(bytes, &place, 4) else { return false }
                field = .fixed32(UInt32(truncatingIfNeeded: value))
            default: return false
            }
            guard body(Int(tag >> 3 & 0x1FFF_FFFF), field) else { return false }
        }
        return true
    }

    private static func varint(_ bytes: UnsafeBufferPointer<UInt8>, _ place: inout Int) -> UInt64? {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while place < bytes.count, shift < 64 {
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    private static func fixed(_ bytes: UnsafeBufferPointer<UInt8>, _ place: inout Int, _ count: Int) -> UInt64? {
        guard place + count <= bytes.count else { return nil }
        var value: UInt64 = 0
        for offset in 0..<count { value |= UInt64(bytes[place + offset]) << UInt64(8 * offset) }
        place += count
        return value
    }
}

extension UnsafeBufferPointer<UInt8> {
    fileprivate var none: Self { Self(rebasing: self[0..<0]) }
}
