// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// What became of a request to a collector.
package enum Delivery: Sendable {
    /// Taken, but for so many items.
    case delivered(rejected: Int, reason: String)
    /// May succeed later, and not before the advice.
    case unavailable(after: Duration?, reason: String)
    /// Will never succeed.
    case refused(reason: String)
}

/// The way to a collector.
protocol Transport: Sendable {
    /// Sends one export request. Never throws: what goes wrong is a delivery, too.
    func send(_ body: [UInt8], _ signal: Signal, isCompressed: Bool) async -> Delivery
    func close() async
}

/// `Export*ServiceResponse`, alike for all signals.
package enum ExportResponse {
    private static let response = Fields(["partialSuccess": 1])
    private static let partial = Fields([
        "rejectedSpans": 1, "rejectedDataPoints": 1, "rejectedLogRecords": 1, "errorMessage": 2,
    ])

    /// What a collector did not take. A body that cannot be read says nothing.
    package static func read(_ body: [UInt8]) -> Delivery {
        var (rejected, reason) = (UInt64(0), "")
        try? body.withUnsafeBufferPointer { buffer throws(WireError) in
            var reader = ProtobufReader(UnsafeRawBufferPointer(buffer))
            while try reader.next(response) != nil {
                let frame = try reader.enter()
                while let field = try reader.next(partial) {
                    if field == 1 {
                        rejected = try reader.integer()
                    } else {
                        reason = String(decoding: try reader.characters(), as: UTF8.self)
                    }
                }
                try reader.leave(frame)
            }
        }
        return .delivered(rejected: Int(clamping: rejected), reason: reason)
    }
}

/// `google.rpc.Status`, which says why a request was not taken.
package enum RPCStatus {
    private static let status = Fields(["code": 1, "message": 2, "details": 3])
    private static let detail = Fields(["typeUrl": 1, "value": 2])
    private static let retryInfo = Fields(["retryDelay": 1])
    private static let duration = Fields(["seconds": 1, "nanos": 2])
    private static let retryInfoType = "type.googleapis.com/google.rpc.RetryInfo"

    static func encode(code: Int, _ message: String, retryAfter: Duration? = nil) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.integer(1, UInt64(code))
        writer.text(2, message)
        if let retryAfter {
            writer.message(3) { writer in
                writer.text(1, retryInfoType)
                writer.message(2) { writer in
                    writer.message(1) { $0.integer(1, UInt64(max(0, retryAfter.components.seconds))) }
                }
            }
        }
        return writer.bytes
    }

    /// The message, and when to come back if that is said.
    package static func read(_ body: [UInt8]) -> (message: String, retryAfter: Duration?) {
        var (message, retryAfter): (String, Duration?) = ("", nil)
        try? body.withUnsafeBufferPointer { buffer throws(WireError) in
            var reader = ProtobufReader(UnsafeRawBufferPointer(buffer))
            while let field = try reader.next(status) {
                switch field {
                case 1: _ = try reader.integer()
                case 2: message = String(decoding: try reader.characters(), as: UTF8.self)
                default: retryAfter = try detail(&reader) ?? retryAfter
                }
            }
        }
        return (message, retryAfter)
    }

    private static func detail(_ reader: inout ProtobufReader) throws(WireError) -> Duration? {
        let frame = try reader.enter()
        var (isRetryInfo, delay): (Bool, Duration?) = (false, nil)
        while let field = try reader.next(detail) {
            if field == 1 {
                isRetryInfo = String(decoding: try reader.characters(), as: UTF8.self) == retryInfoType
            } else if isRetryInfo {
                delay = try retryDelay(&reader)
            } else {
                _ = try reader.data()
            }
        }
        try reader.leave(frame)
        return delay
    }

    private static func retryDelay(_ reader: inout ProtobufReader) throws(WireError) -> Duration? {
        let frame = try reader.enter()
        var delay: Duration?
        while try reader.next(retryInfo) != nil {
            let inner = try reader.enter()
            var (seconds, nanoseconds) = (UInt64(0), UInt64(0))
            while let field = try reader.next(duration) {
                if field == 1 { seconds = try reader.integer() } else { nanoseconds = try reader.integer() }
            }
            try reader.leave(inner)
            delay = .seconds(Int64(clamping: seconds)) + .nanoseconds(Int64(clamping: nanoseconds))
        }
        try reader.leave(frame)
        return delay
    }
}
