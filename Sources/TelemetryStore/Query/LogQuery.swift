// SPDX-License-Identifier: Apache-2.0

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
    /// A filter of lines. A regular expression that stands for one text is looked for as that.
    private struct Line {
        let isWanted: Bool
        let pattern: Pattern?
        /// Where there is no pattern.
        let search: ByteSearch
        /// What a line has, in upper or lower case, that is let through.
        let pieces: [Substring]

        /// - Throws: `Pattern.PatternError`.
        init(_ filter: LogQuery.LineFilter) throws {
            let isPattern = filter.operation == .matches || filter.operation == .matchesNot
            let literal = isPattern ? LiteralPattern(filter.text) : nil
            let isText = !isPattern || literal?.isCaseless == false
            isWanted = filter.operation == .contains || filter.operation == .matches
            pattern = isText ? nil : try Pattern(filter.text)
            search = ByteSearch(Array((literal?.text ?? filter.text).utf8))
            pieces = isWanted ? literal?.pieces ?? (isPattern ? [] : [filter.text[...]]) : []
        }
    }

    let query: LogQuery
    /// Terms that a block must have.
    let terms: [UInt64]
    /// Those that it must have, too, where it has such.
    let fragments: [UInt64]
    private let lines: [Line]
    /// Of texts that must be there.
    private let wanted: [ByteSearch]
    private let matchers: [ValueTest]

    /// - Throws: `Pattern.PatternError`.
    init(_ query: LogQuery) throws {
        self.query = query
        var (lines, terms, fragments, seen) = ([Line](), [UInt64](), [UInt64](), Fragments())
        for word in query.words { Words.each(of: word.utf8) { terms.append(Term.word($0)) } }
        for filter in query.lines {
            let line = try Line(filter)
            lines.append(line)
            if filter.operation == .contains {
                // Words at its ends may be parts of longer ones.
                let inner = filter.text.utf8.drop { Words.isPart($0) }
                Words.each(of: inner.reversed().drop { Words.isPart($0) }.reversed()) { terms.append(Term.word($0)) }
            }
            for piece in line.pieces { seen.eachNew(in: piece.utf8) { fragments.append(Term.fragment($0)) } }
        }
        wanted = lines.filter { $0.isWanted && $0.pattern == nil }.map(\.search)
        matchers = try query.matchers.map { try ValueTest($0) }
        (self.lines, self.terms, self.fragments) = (lines, terms, fragments)
    }

    var times: ClosedRange<Int64> {
        Int64(query.times.lowerBound / 1_000_000)...Int64(query.times.upperBound / 1_000_000)
    }

    /// Whether records of a service may match. A record may have an attribute that says otherwise than its sender.
    func mayAccept(service: [UInt8]) throws -> Bool {
        let name = String(decoding: service, as: UTF8.self)
        return try matchers.allSatisfy { test in try test.matcher.name != "service_name" || test.accepts(name) }
    }

    /// The rows of a block that match, and the block as a batch; `nil` where none do.
    ///
    /// - Throws: `Failure` with `corrupt`; `Pattern.PatternError`.
    func matches(_ sections: some RecordSections) throws -> (LogBatch, [Int])? {
        guard try wanted.isEmpty || sections.mayContain(wanted, in: []) else { return nil }
        let outline = try LogOutline(sections)
        var isCandidate = (0..<outline.rows).map { row in
            let time = outline.times[row] == 0 ? outline.observedTimes[row] : outline.times[row]
            return query.times.contains(time) && outline.severities[row] >= query.severityMin
        }
        guard isCandidate.contains(true) else { return nil }
        if !lines.isEmpty {
            // The texts alone are much less than all that the records have.
            // A record that says nothing is an empty line.
            let isEmptyAccepted = try accepts(line: [])
            var accepted = isCandidate.map { $0 && isEmptyAccepted }
            let table = try BlockAttributes(sections, shapes: outline.shapes)
            try table.eachValue(of: [], .firstOfRow) { row, text in
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
            for line in lines {
                let isFound =
                    try line.pattern.map { try $0.matches(String(decoding: buffer, as: UTF8.self)) }
                    ?? line.search.isFound(in: buffer)
                if isFound != line.isWanted { return false }
            }
            return true
        }
    }

    private func accepts(_ row: Int, of batch: LogBatch) throws -> Bool {
        if let trace = query.trace, batch.traceHighs[row] != trace.high || batch.traceLows[row] != trace.low {
            return false
        }
        if matchers.isEmpty, query.words.isEmpty { return true }
        for test in matchers where try !test.accepts(batch.value(of: test.matcher.name, row)) { return false }
        guard !query.words.isEmpty else { return true }
        let record = batch.record(row)
        let text = ([record.body] + record.attributes.map(\.value.text)).joined(separator: "\n").lowercased()
        return query.words.allSatisfy { text.contains($0.lowercased()) }
    }
}

extension LogBatch {
    func stored(_ row: Int) -> StoredLog {
        StoredLog(record: record(row), resource: resource(of: row), severity: severities[row])
    }

    /// What a field reads as; empty where the record has none of that name. A name with underscores means dots as well.
    package func value(of name: String, _ row: Int) -> String {
        switch name {
        case "level", "detected_level": return LogLevel.name(of: severities[row])
        case "service_name":
            return String(decoding: origins.service(ofScope: Int(scopes[row]), in: bytes), as: UTF8.self)
        case "scope_name": return bytes.text(origins.scopes[Int(scopes[row])].name)
        case "trace_id": return hasTrace(row) ? TraceID(high: traceHighs[row], low: traceLows[row]).hex : ""
        default:
            let own = value(name, of: attributes, attributes(of: row))
            let sender = origins.resources[origins.scopes[Int(scopes[row])].resource].attributes
            return own ?? value(name, of: origins.resourceAttributes, sender) ?? ""
        }
    }

    private func value(_ name: String, of columns: AttributeColumns, _ places: Range<Int>) -> String? {
        places.first { LogLevel.isNamed(bytes[columns.names[$0].range], name.utf8) }.flatMap { place in
            AttributeColumns.value(columns.kinds[place], columns.values[place], in: bytes)?.text
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
    static func isNamed(_ name: ArraySlice<UInt8>, _ asked: String.UTF8View) -> Bool {
        name.count == asked.count
            && zip(name, asked).allSatisfy { $0 == $1 || $0 == UInt8(ascii: ".") && $1 == UInt8(ascii: "_") }
    }
}
