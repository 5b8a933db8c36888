// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// How a request's body is written.
package enum WireFormat: Sendable {
    case protobuf
    case json
}

/// Export requests of all signals, in both formats, into columns.
package enum SignalDecoder {
    package struct Result {
        package var batch: SignalBatch
        /// Spans, points or records that could not be taken, and why the first.
        package var rejected: Int
        package var reason: String
    }

    /// The batch keeps the body; nothing of it is copied but what JSON escapes, and arrays and maps.
    package static func decode(
        _ body: [UInt8], _ signal: Signal, _ format: WireFormat, limits: DecodeLimits = DecodeLimits()
    ) throws(WireError) -> Result {
        switch signal {
        case .traces:
            try decode(
                body, format, limits, TraceDecoder<ProtobufReader>.self, TraceDecoder<JSONFieldReader>.self,
                SignalBatch.spans)
        case .metrics:
            try decode(
                body, format, limits, MetricDecoder<ProtobufReader>.self, MetricDecoder<JSONFieldReader>.self,
                SignalBatch.metrics)
        case .logs:
            try decode(
                body, format, limits, LogDecoder<ProtobufReader>.self, LogDecoder<JSONFieldReader>.self,
                SignalBatch.logs)
        }
    }

    private static func decode<Protobuf: RequestDecoder, Text: RequestDecoder>(
        _ body: [UInt8], _ format: WireFormat, _ limits: DecodeLimits, _: Protobuf.Type, _: Text.Type,
        _ batch: (Protobuf.Batch) -> SignalBatch
    ) throws(WireError) -> Result
    where Protobuf.Reader == ProtobufReader, Text.Reader == JSONFieldReader, Protobuf.Batch == Text.Batch {
        var (decoded, extra) = try body.withUnsafeBufferPointer { buffer throws(WireError) in
            let bytes = UnsafeRawBufferPointer(buffer)
            switch format {
            case .protobuf:
                var reader = ProtobufReader(bytes)
                return (try Protobuf.read(&reader, limits), reader.extra)
            case .json:
                var reader = JSONFieldReader(bytes)
                let decoded = try reader.document { (reader: inout JSONFieldReader) throws(WireError) in
                    try Text.read(&reader, limits)
                }
                return (decoded, reader.extra)
            }
        }
        // Nothing is copied where nothing follows.
        decoded.batch.bytes = extra.isEmpty ? body : body + extra
        return Result(batch: batch(decoded.batch), rejected: decoded.rejected, reason: decoded.reason)
    }
}
