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
            var (decoded, extra) = try body.read(format) { (reader: inout ProtobufReader) throws(WireError) in
                try TraceDecoder.read(&reader, limits)
            } json: { (reader: inout JSONFieldReader) throws(WireError) in
                try TraceDecoder.read(&reader, limits)
            }
            decoded.batch.bytes = body.followed(by: extra)
            return Result(batch: .spans(decoded.batch), rejected: decoded.rejected, reason: decoded.reason)
        case .metrics:
            var (decoded, extra) = try body.read(format) { (reader: inout ProtobufReader) throws(WireError) in
                try MetricDecoder.read(&reader, limits)
            } json: { (reader: inout JSONFieldReader) throws(WireError) in
                try MetricDecoder.read(&reader, limits)
            }
            decoded.batch.bytes = body.followed(by: extra)
            return Result(batch: .metrics(decoded.batch), rejected: decoded.rejected, reason: decoded.reason)
        case .logs:
            var (decoded, extra) = try body.read(format) { (reader: inout ProtobufReader) throws(WireError) in
                try LogDecoder.read(&reader, limits)
            } json: { (reader: inout JSONFieldReader) throws(WireError) in
                try LogDecoder.read(&reader, limits)
            }
            decoded.batch.bytes = body.followed(by: extra)
            return Result(batch: .logs(decoded.batch), rejected: decoded.rejected, reason: decoded.reason)
        }
    }
}

extension [UInt8] {
    /// Nothing is copied where nothing follows.
    fileprivate func followed(by extra: [UInt8]) -> [UInt8] { extra.isEmpty ? self : self + extra }

    fileprivate func read<Batch>(
        _ format: WireFormat,
        protobuf: (inout ProtobufReader) throws(WireError) -> Decoded<Batch>,
        json: (inout JSONFieldReader) throws(WireError) -> Decoded<Batch>
    ) throws(WireError) -> (Decoded<Batch>, extra: [UInt8]) {
        try withUnsafeBufferPointer { buffer throws(WireError) in
            let body = UnsafeRawBufferPointer(buffer)
            switch format {
            case .protobuf:
                var reader = ProtobufReader(body)
                let decoded = try protobuf(&reader)
                return (decoded, reader.extra)
            case .json:
                var reader = JSONFieldReader(body)
                let decoded = try reader.document(json)
                return (decoded, reader.extra)
            }
        }
    }
}
