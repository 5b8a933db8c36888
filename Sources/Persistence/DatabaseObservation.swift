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
    private let parent = Mutex<String?>(nil)
    private let ran = Mutex<(texts: [String], statements: Int)>(([], 0))

    /// Longer summaries are cut (semantic conventions, `db.query.summary`).
    private static let summaryLengthMax = 255

    init(dialect: Dialect, operation: String) {
        self.dialect = dialect
        self.operation = operation
    }

    /// The span's place, for what is written to be read later by others.
    var trace: String? { parent.withLock { $0 } }

    func note(_ context: ServiceContext) {
        var carrier: String?
        InstrumentationSystem.instrument.inject(context, into: &carrier, using: ParentInjector())
        parent.withLock { $0 = carrier }
    }

    private struct ParentInjector: Injector {
        func inject(_ value: String, forKey key: String, into carrier: inout String?) {
            if key == "traceparent" { carrier = value }
        }
    }

    /// What the last attempt ran; an engine may run a body again after a conflict.
    func ran(_ texts: [String], statements: Int) { ran.withLock { $0 = (texts, statements) } }

    func describe(_ span: any Span) {
        guard span.isRecording else { return }
        let (texts, statements) = ran.withLock { $0 }
        var parts: [String] = []
        for text in texts {
            let part = Self.summary(of: text)
            if !parts.contains(part) { parts.append(part) }
        }
        let summary = parts.joined(separator: "; ")
        span.attributes = [
            "db.system.name": .string(dialect == .sqlite ? "sqlite" : "postgresql"),
            "db.operation.name": .string(operation), "db.operation.batch.size": .int64(Int64(statements)),
            "db.query.summary": .string(String(summary.prefix(Self.summaryLengthMax))),
        ]
        if !summary.isEmpty { span.operationName = "\(operation) \(parts[0])" }
    }

    /// Texts are few, and each is looked through once.
    private static let known = Mutex<[String: String]>([:])
    private static let knownMax = 1_024

    /// `SELECT products`: the verb and the first table, which have few values.
    private static func summary(of text: String) -> String {
        if let known = known.withLock({ $0[text] }) { return known }
        let words = text.utf8.split(whereSeparator: { " \n(,".utf8.contains($0) }).map { Substring($0) }
        guard let verb = words.first else { return "" }
        let before: Substring =
            switch verb {
            case "INSERT": "INTO"
            case "UPDATE": "UPDATE"
            default: "FROM"
            }
        let table = words.firstIndex(of: before).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        let summary = table.map { "\(verb) \($0)" } ?? String(verb)
        known.withLock { known in
            if known.count < knownMax { known[text] = summary }
        }
        return summary
    }
}
