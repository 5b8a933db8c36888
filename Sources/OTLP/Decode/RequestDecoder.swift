// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// What the decoders of the three signals have in common: a request holds senders, those hold scopes, and those hold items.
protocol RequestDecoder {
    associatedtype Reader: FieldReader

    /// The request, a sender, and a scope, whose items are field 2.
    static var fields: (request: Fields, resource: Fields, scope: Fields) { get }
    var limits: DecodeLimits { get }
    var origins: BatchOrigins { get set }
    /// Reads a span, a metric or a log record.
    mutating func item(_ reader: inout Reader, scope: Int) throws(WireError)
}

extension RequestDecoder {
    mutating func request(_ reader: inout Reader) throws(WireError) {
        while try reader.next(Self.fields.request) != nil { try resource(&reader) }
    }

    private mutating func resource(_ reader: inout Reader) throws(WireError) {
        let frame = try reader.enter()
        origins.beginResource()
        try limits.check(parts: origins.parts)
        while let field = try reader.next(Self.fields.resource) {
            if field == 1 { try CommonDecoder.resource(&reader, into: &origins) } else { try scope(&reader) }
        }
        try reader.leave(frame)
    }

    private mutating func scope(_ reader: inout Reader) throws(WireError) {
        let frame = try reader.enter()
        let place = origins.beginScope()
        try limits.check(parts: origins.parts)
        while let field = try reader.next(Self.fields.scope) {
            if field == 1 {
                try CommonDecoder.scope(&reader, at: place, into: &origins)
            } else {
                try item(&reader, scope: place)
            }
        }
        try reader.leave(frame)
    }
}
