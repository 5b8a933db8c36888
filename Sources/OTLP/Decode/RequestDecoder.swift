// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// What decoders fill.
protocol DecodableBatch: Sendable {
    var bytes: [UInt8] { get set }
    var origins: BatchOrigins { get set }

    init()
}

extension SpanBatch: DecodableBatch {}
extension MetricBatch: DecodableBatch {}
extension LogBatch: DecodableBatch {}

/// What the decoders of the three signals have in common: a request holds senders, those hold scopes, and those hold items.
protocol RequestDecoder {
    associatedtype Reader: FieldReader
    associatedtype Batch: DecodableBatch

    /// The request, a sender, and a scope, whose items are field 2.
    static var fields: (request: Fields, resource: Fields, scope: Fields) { get }
    var limits: DecodeLimits { get }
    var decoded: Decoded<Batch> { get set }

    init(limits: DecodeLimits)
    /// Reads a span, a metric or a log record.
    mutating func item(_ reader: inout Reader, scope: Int) throws(WireError)
}

extension RequestDecoder {
    static func read(_ reader: inout Reader, _ limits: DecodeLimits) throws(WireError) -> Decoded<Batch> {
        var decoder = Self(limits: limits)
        while try reader.next(fields.request) != nil { try decoder.resource(&reader) }
        return decoder.decoded
    }

    private mutating func resource(_ reader: inout Reader) throws(WireError) {
        let frame = try reader.enter()
        decoded.batch.origins.beginResource()
        try limits.check(parts: decoded.batch.origins.parts)
        while let field = try reader.next(Self.fields.resource) {
            if field == 1 {
                try CommonDecoder.resource(&reader, into: &decoded.batch.origins)
            } else {
                try scope(&reader)
            }
        }
        try reader.leave(frame)
    }

    private mutating func scope(_ reader: inout Reader) throws(WireError) {
        let frame = try reader.enter()
        let place = decoded.batch.origins.beginScope()
        try limits.check(parts: decoded.batch.origins.parts)
        while let field = try reader.next(Self.fields.scope) {
            if field == 1 {
                try CommonDecoder.scope(&reader, at: place, into: &decoded.batch.origins)
            } else {
                try item(&reader, scope: place)
            }
        }
        try reader.leave(frame)
    }
}
