// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// What a target shows: Prometheus' text format 0.0.4, or OpenMetrics 1.0.0.
struct Exposition {
    struct Sample {
        var labels: [MetricLabel]
        var value: Double
        /// Milliseconds since 1970, where the target names a time.
        var time: Int64?
    }

    /// Text that is neither, with the line it stands in.
    struct Malformed: Error, CustomStringConvertible {
        let line: Int
        let reason: String
        var description: String { "line \(line): \(reason)" }
    }

    private(set) var samples: [Sample] = []
    private(set) var metadata: [String: MetricMetadata] = [:]

    /// `isOpenMetrics` has times in seconds, and must end with `# EOF`.
    init(_ text: [UInt8], isOpenMetrics: Bool) throws(Malformed) {
        var (types, helps, units) = ([String: String](), [String: String](), [String: String]())
        var (line, place, hasEnded) = (0, 0, false)
        while place < text.count {
            let end = text[place...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            line += 1
            var reader = LineReader(text[place..<end])
            place = end + 1
            reader.skipBlanks()
            if reader.isAtEnd { continue }
            if hasEnded { throw Malformed(line: line, reason: "there is more after # EOF") }
            if reader.take("#") {
                switch reader.comment() {
                case .type(let name, let type): types[name] = type == "untyped" ? "unknown" : type
                case .help(let name, let text): helps[name] = text
                case .unit(let name, let unit): units[name] = unit
                case .end: hasEnded = true
                case .other: break
                }
                continue
            }
            do throws(LineReader.Fault) { samples.append(try reader.sample(isOpenMetrics: isOpenMetrics)) } catch {
                throw Malformed(line: line, reason: error.reason)
            }
        }
        if isOpenMetrics, !hasEnded { throw Malformed(line: line, reason: "there is no # EOF") }
        for (name, type) in types {
            let shown = isOpenMetrics && type == "counter" ? name + "_total" : name
            metadata[shown] = MetricMetadata(type: type, help: helps[name] ?? "", unit: units[name] ?? "")
        }
    }
}

/// Reads one line.
private struct LineReader {
    struct Fault: Error { let reason: String }

    enum Comment {
        case type(String, String)
        case help(String, String)
        case unit(String, String)
        case end
        case other
    }

    private var rest: ArraySlice<UInt8>

    init(_ line: ArraySlice<UInt8>) { rest = line }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skipBlanks() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func comment() -> Comment {
        let keyword = word()
        if keyword == "EOF" { return .end }
        guard ["TYPE", "HELP", "UNIT"].contains(keyword) else { return .other }
        let name = (try? self.name()) ?? ""
        skipBlanks()
        let text = String(decoding: rest, as: UTF8.self)
        switch keyword {
        case "TYPE": return .type(name, text)
        case "HELP": return .help(name, Self.plain(text))
        default: return .unit(name, text)
        }
    }

    private static func plain(_ text: String) -> String {
        guard text.contains("\\") else { return text }
        return text.replacing("\\\\", with: "\u{0}").replacing("\\n", with: "\n").replacing("\\\"", with: "\"")
            .replacing("\u{0}", with: "\\")
    }

    private mutating func word() -> String {
        skipBlanks()
        let word = rest.prefix { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }
        rest = rest.dropFirst(word.count)
        return String(decoding: word, as: UTF8.self)
    }

    /// A name, in quotes where it has characters that names did not use to have.
    private mutating func name() throws(Fault) -> String {
        skipBlanks()
        if rest.first == UInt8(ascii: "\"") { return try quoted() }
        let name = rest.prefix { byte in
            byte == UInt8(ascii: "_") || byte == UInt8(ascii: ":")
                || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte >= 0x80
        }
        guard !name.isEmpty else { throw Fault(reason: "a name is missing") }
        rest = rest.dropFirst(name.count)
        return String(decoding: name, as: UTF8.self)
    }

    private mutating func quoted() throws(Fault) -> String {
        guard take("\"") else { throw Fault(reason: "a quotation mark is missing") }
        var text: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                switch rest.popFirst() {
                case UInt8(ascii: "n"): text.append(0x0A)
                case UInt8(ascii: "\\"): text.append(0x5C)
                case UInt8(ascii: "\""): text.append(0x22)
                case let other?: text += [0x5C, other]
                case nil: break
                }
            default: text.append(byte)
            }
        }
        throw Fault(reason: "a quotation mark is missing")
    }

    mutating func sample(isOpenMetrics: Bool) throws(Fault) -> Exposition.Sample {
        var labels: [MetricLabel] = []
        if rest.first != UInt8(ascii: "{") { labels.append(MetricLabel(LabelSet.name, try name())) }
        skipBlanks()
        if take("{") { try self.labels(&labels) }
        guard labels.contains(where: { $0.name == LabelSet.name }) else { throw Fault(reason: "a name is missing") }
        let number = word()
        guard let value = Self.number(number) else { throw Fault(reason: "\"\(number)\" is no number") }
        skipBlanks()
        // An exemplar may follow, which is not kept.
        guard !rest.isEmpty, rest.first != UInt8(ascii: "#") else {
            return Exposition.Sample(labels: labels, value: value)
        }
        let text = word()
        guard let time = Double(text), time.magnitude < 9e15 else { throw Fault(reason: "\"\(text)\" is no time") }
        skipBlanks()
        guard rest.isEmpty || rest.first == UInt8(ascii: "#") else {
            throw Fault(reason: "there is more after the time")
        }
        return Exposition.Sample(
            labels: labels, value: value, time: Int64((isOpenMetrics ? time * 1_000 : time).rounded()))
    }

    private mutating func labels(_ labels: inout [MetricLabel]) throws(Fault) {
        while true {
            skipBlanks()
            if take("}") { return }
            let name = try self.name()
            skipBlanks()
            if take("=") {
                skipBlanks()
                labels.append(MetricLabel(name, try quoted()))
            } else {
                // The metric's name, in quotes among its labels.
                labels.append(MetricLabel(LabelSet.name, name))
            }
            skipBlanks()
            if !take(","), rest.first != UInt8(ascii: "}") {
                throw Fault(reason: "a label is followed by neither , nor }")
            }
        }
    }

    private static func number(_ text: String) -> Double? {
        switch text.lowercased() {
        case "nan": .nan
        case "+inf", "inf": .infinity
        case "-inf": -.infinity
        default: Double(text)
        }
    }
}
