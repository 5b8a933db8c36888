// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Answers as the specification words them, in the format of the request.
enum ExportAnswers {
    static let tokenIsMissing =
        "Sending needs a token: set OTEL_EXPORTER_OTLP_HEADERS to authorization=Bearer%20 and the token."

    /// `Export*ServiceResponse`; nothing in it where everything was taken.
    static func response(_ refusal: Intake.Refusal, _ signal: Signal, _ format: WireFormat) -> [UInt8] {
        let isWhole = refusal.items == 0 && refusal.reason.isEmpty
        switch format {
        case .protobuf:
            guard !isWhole else { return [] }
            var writer = ProtobufWriter()
            writer.message(1) { writer in
                writer.integer(1, UInt64(refusal.items))
                writer.text(2, refusal.reason)
            }
            return writer.bytes
        case .json:
            var json = JSONWriter()
            json.beginObject()
            if !isWhole {
                json.name("partialSuccess")
                json.beginObject()
                json.name(rejectedName(signal))
                json.string(String(refusal.items))
                json.name("errorMessage")
                json.string(refusal.reason)
                json.endObject()
            }
            json.endObject()
            return json.bytes
        }
    }

    /// `google.rpc.Status`.
    static func status(_ code: GRPC.Code, _ message: String, _ format: WireFormat) -> [UInt8] {
        switch format {
        case .protobuf: return RPCStatus.encode(code: code.rawValue, message)
        case .json:
            var json = JSONWriter()
            json.beginObject()
            json.name("code")
            json.integer(Int64(code.rawValue))
            json.name("message")
            json.string(message)
            json.endObject()
            return json.bytes
        }
    }

    private static func rejectedName(_ signal: Signal) -> String {
        switch signal {
        case .traces: "rejectedSpans"
        case .metrics: "rejectedDataPoints"
        case .logs: "rejectedLogRecords"
        }
    }
}
