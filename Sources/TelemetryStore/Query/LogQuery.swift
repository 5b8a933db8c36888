// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Patterns
package import Telemetry

/// Which log records somebody looks for. All that is said must hold.
package struct LogQuery: Sendable {
    /// What the text of a record must have, or must not.
    package struct LineFilter: Sendable {
        package enum Operation: String, Sendable {
            case contains = "|="
            case lacks = "!="
            /// Anywhere in the text, as a regular expression.
            case matches = "|~"
            case matchesNot = "!~"
        }

        package let operation: Operation
        package let text: String

        package init(_ operation: Operation, _ text: String) { (self.operation, self.text) = (operation, text) }
    }

    /// Nanoseconds since 1970.
    package var times: ClosedRange<UInt64> = 0...UInt64(Int64.max)
    /// The least severity, as OTLP numbers it: 9 is info, 13 warn, 17 error.
    package var severityMin: UInt8 = 0
    package var trace: TraceID?
    /// Of attributes, by their names; of what the sender says of itself, too, which is looked at where the record has no
    /// attribute of that name. Where a name has underscores, dots are meant as well.
    package var matchers: [LabelMatcher] = []
    package var lines: [LineFilter] = []
    /// Each must stand in the text or in an attribute, in whatever case.
    package var words: [String] = []
    package var isNewestFirst = true

    package init() {}
}

/// A log record that was found.
package struct StoredLog: Sendable {
    package let record: LogRecord
    package let resource: Resource
    /// As OTLP numbers it.
    package let severity: UInt8
}

/// What a question asks of each block of log records; made once for all of them.
struct LogTest {
    let query: LogQuery
    let terms: [UInt64]
    private let lines: [(LogQuery.LineFilter, Pattern?)]
    private let matchers: [ValueTest]

    /// - Throws: `Pattern.PatternError`.
    init(_ query: LogQuery) throws {
        self.query = query
        lines = try query.lines.map { line in
            let isPattern = line.operation == .matches || line.operation == .matchesNot
            return (line, isPattern ? try Pattern(line.text) : nil)
        }
        matchers = try query.matchers.map { try ValueTest($0) }
        var terms: [UInt64] = []
        for word in query.words { Words.each(of: word.utf8) { terms.append(Term.word($0)) } }
        for line in query.lines where line.operation == .contains {
            // Words at its ends may be parts of longer ones.
            let bytes = Array(line.text.utf8)
            let inner = bytes.drop { Words.isPart($0) }
            Words.each(of: inner.reversed().drop { Words.isPart($0) }.reversed()) { terms.append(Term.word($0)) }
        }
        self.terms = terms
    }

    var times: ClosedRange<Int64> {
        Int64(query.times.lowerBound / 1_000_000)...Int64(query.times.upperBound / 1_000_000)
    }

    /// The rows of a block that match, and the block as a batch; `nil` where none do.
    ///
    /// - Throws: `Failure` with `corrupt`; `Pattern.PatternError`.
    func matches(_ sections: some RecordSections) throws -> (LogBatch, [Int])? {
        let outline = try LogOutline(sections)
        var isCandidate = (0..<outline.rows).map { row in
            let time = outline.times[row] == 0 ? outline.observedTimes[row] : outline.times[row]
            return query.times.contains(time) && outline.severities[row] >= query.severityMin
        }
        guard isCandidate.contains(true) else { return nil }
        if !lines.isEmpty {
            // The texts alone are much less than all that the records have.
            var accepted = Array(repeating: false, count: outline.rows)
            try BlockAttributes(sections, shapes: outline.shapes).eachValue(of: []) { row, text in
                if isCandidate[row] { accepted[row] = try accepts(line: text) }
            }
            isCandidate = accepted
            guard isCandidate.contains(true) else { return nil }
        }
        let batch = try LogBatch.read(sections)
        let rows = try isCandidate.indices.filter { row in try isCandidate[row] && accepts(row, of: batch) }
        return rows.isEmpty ? nil : (batch, rows)
    }

    private func accepts(line: ArraySlice<UInt8>) throws -> Bool {
        try line.withUnsafeBufferPointer { buffer in
            for (filter, pattern) in lines {
                let isFound =
                    try pattern.map { try $0.matches(String(decoding: buffer, as: UTF8.self)) }
                    ?? Self.contains(buffer, filter.text)
                let isWanted = filter.operation == .contains || filter.operation == .matches
                if isFound != isWanted { return false }
            }
            return true
        }
    }

    private static func contains(_ line: UnsafeBufferPointer<UInt8>, _ text: String) -> Bool {
        var text = text
        return text.withUTF8 { text in
            guard let first = text.first, var start = line.baseAddress, let wanted = text.baseAddress else {
                return text.isEmpty
            }
            let end = start + line.count
            // By the first byte, which the machine finds many at a time.
            while let place = memchr(start, Int32(first), max(0, end - start)) {
                start = UnsafePointer(place.assumingMemoryBound(to: UInt8.self))
                guard end - start >= text.count else { return false }
                if memcmp(start, wanted, text.count) == 0 { return true }
                start += 1
            }
            return false
        }
    }

    private func accepts(_ row: Int, of batch: LogBatch) throws -> Bool {
        if let trace = query.trace, batch.traceHighs[row] != trace.high || batch.traceLows[row] != trace.low {
            return false
        }
        if matchers.isEmpty, query.words.isEmpty { return true }
        let record = batch.record(row)
        for test in matchers where try !test.accepts(Self.value(test.matcher.name, row, record, batch)) { return false }
        guard !query.words.isEmpty else { return true }
        let text = ([record.body] + record.attributes.map(\.value.text)).joined(separator: "\n").lowercased()
        return query.words.allSatisfy { text.contains($0.lowercased()) }
    }

    private static func value(_ name: String, _ row: Int, _ record: LogRecord, _ batch: LogBatch) -> String {
        switch name {
        case "level", "detected_level", "severity_text": return LogLevel.name(of: batch.severities[row])
        case "scope_name": return record.scope
        case "trace_id": return record.trace?.traceID.hex ?? ""
        default:
            let attributes = record.attributes + batch.resource(of: row).attributes
            let found = attributes.first { LogLevel.isNamed($0.name, name) }
            return found?.value.text ?? ""
        }
    }
}

/// How severities and attributes are called where names may have no dots.
package enum LogLevel {
    /// Of OTLP's 24, in six steps.
    package static func name(of severity: UInt8) -> String {
        switch severity {
        case 0: "unknown"
        case ...4: "trace"
        case ...8: "debug"
        case ...12: "info"
        case ...16: "warn"
        case ...20: "error"
        default: "fatal"
        }
    }

    /// Whether an attribute's name is meant by one that may have underscores in the place of dots.
    package static func isNamed(_ name: String, _ asked: String) -> Bool {
        name == asked || name.contains(".") && name.replacingOccurrences(of: ".", with: "_") == asked
    }
}
