// SPDX-License-Identifier: Apache-2.0

internal import Instrumentation
internal import ServiceContextModule
internal import Synchronization
internal import Tracing

/// What a body had the database do, for its span (OpenTelemetry semantic conventions 1.44, database client spans).
///
/// One span stands for all statements of a body: they share a snapshot or a transaction, and a span for each would cost more
/// than many of them.
final class DatabaseObservation: Sendable {
    private let dialect: Dialect
    private let operation: String
    private let context: ServiceContext?
    private let instrument: any Instrument
    private let texts = Mutex<[String]>([])

    /// Longer summaries are cut (semantic conventions, `db.query.summary`).
    private static let summaryLengthMax = 255

    /// `context` is that of the span.
    init(dialect: Dialect, operation: String, in context: ServiceContext?) {
        self.dialect = dialect
        self.operation = operation
        self.context = context
        // Taken here, because a body runs on a thread where no task's instrument is known.
        instrument = InstrumentationSystem.instrument
    }

    /// The span's place, for what is written to be read later by others.
    var trace: String? {
        guard let context else { return nil }
        var carrier: String?
        instrument.inject(context, into: &carrier, using: ParentInjector())
        return carrier
    }

    private struct ParentInjector: Injector {
        func inject(_ value: String, forKey key: String, into carrier: inout String?) {
            if key == "traceparent" { carrier = value }
        }
    }

    /// What the last attempt ran; an engine may run a body again after a conflict.
    func ran(_ texts: [String]) { self.texts.withLock { $0 = texts } }

    func describe(_ span: any Span) {
        guard span.isRecording else { return }
        let description = Self.description(
            of: Body(dialect: dialect, operation: operation, texts: texts.withLock { $0 }))
        span.attributes = description.attributes
        if let name = description.name { span.operationName = name }
    }

    /// What a body ran.
    private struct Body: Hashable {
        let dialect: Dialect
        let operation: String
        let texts: [String]

        /// Lengths tell most bodies apart, and are hashed at once.
        func hash(into hasher: inout Hasher) {
            for text in texts { hasher.combine(text.utf8.count) }
        }
    }

    /// What the span of a body says.
    private struct Description {
        let name: String?
        let attributes: SpanAttributes
    }

    /// Bodies are few, and each is looked through once; all its spans share what they say.
    private static let known = Mutex<[Body: Description]>([:])
    private static let knownMax = 1_024
    /// A body of more, such as a part of an import, comes once and is not remembered.
    private static let textsMax = 32

    private static func description(of body: Body) -> Description {
        guard body.texts.count <= textsMax else { return describe(body) }
        if let description = known.withLock({ $0[body] }) { return description }
        let description = describe(body)
        known.withLock { known in
            if known.count < knownMax { known[body] = description }
        }
        return description
    }

    private static func describe(_ body: Body) -> Description {
        var parts: [String] = []
        var seen: Set<String> = []
        for text in body.texts where seen.insert(text).inserted {
            let part = summary(of: text)
            if !parts.contains(part) { parts.append(part) }
        }
        let summary = String(parts.joined(separator: "; ").prefix(summaryLengthMax))
        return Description(
            name: parts.first.map { "\(body.operation) \($0)" },
            attributes: [
                "db.system.name": .string(body.dialect == .sqlite ? "sqlite" : "postgresql"),
                "db.operation.name": .string(body.operation), "db.query.summary": .string(summary),
                "db.operation.batch.size": .int64(Int64(body.texts.count)),
            ])
    }

    /// `SELECT products`: the verb and the first table, which have few values.
    private static func summary(of text: String) -> String {
        let words = text.utf8.split(whereSeparator: { " \n(,".utf8.contains($0) }).map { Substring($0) }
        guard let verb = words.first else { return "" }
        let before: Substring =
            switch verb {
            case "INSERT": "INTO"
            case "UPDATE": "UPDATE"
            default: "FROM"
            }
        let table = words.firstIndex(of: before).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        return table.map { "\(verb) \($0)" } ?? String(verb)
    }
}
