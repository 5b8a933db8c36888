// SPDX-License-Identifier: Apache-2.0

internal import CPcre2
internal import Synchronization

/// A regular expression over UTF-8 text, whose work on any text is bounded.
///
/// The dialect is Perl's as PCRE2 speaks it, of which what RE2 and Go accept is nearly all a part. One match at a time: who
/// searches on several threads compiles one for each.
package final class Pattern: Sendable {
    package enum PatternError: Error, Equatable, CustomStringConvertible {
        /// Not an expression; the place counts bytes.
        case malformed(String, place: Int)
        /// The text keeps the expression busy beyond its bound.
        case tooMuchWork

        package var description: String {
            switch self {
            case .malformed(let why, let place): "\(why) at offset \(place)"
            case .tooMuchWork: "the regular expression needs too much work on a text"
            }
        }
    }

    /// What the expression has to match.
    package enum Extent: Sendable {
        /// The text as a whole, as PromQL's matchers want.
        case whole
        /// A part of it.
        case part
    }

    private let compiled: Mutex<Compiled>
    /// Names of groups with their numbers.
    private let names: [String: Int]
    package let text: String

    /// - Throws: ``PatternError/malformed(_:place:)``.
    package init(_ text: String, _ extent: Extent = .part) throws(PatternError) {
        let compiled = try Compiled(text, extent)
        self.text = text
        names = compiled.names
        self.compiled = Mutex(compiled)
    }

    /// - Throws: ``PatternError/tooMuchWork``.
    package func matches(_ text: String) throws(PatternError) -> Bool { try ranges(in: text) != nil }

    /// `template` with `$1`, `${1}` and `${name}` as the first match has them, as Go's `Expand` does; `nil` where there is none.
    ///
    /// - Throws: ``PatternError/tooMuchWork``.
    package func expanded(_ template: String, for text: String) throws(PatternError) -> String? {
        guard let ranges = try ranges(in: text) else { return nil }
        let bytes = Array(text.utf8)
        return Self.expand(Array(template.utf8)) { name in
            guard let group = Int(name) ?? names[name], ranges.indices.contains(group) else { return [] }
            return Array(bytes[ranges[group]])
        }
    }

    /// Where the first match and its groups stand, in bytes; an empty range for a group that took no part.
    private func ranges(in text: String) throws(PatternError) -> [Range<Int>]? {
        let outcome = compiled.withLock { $0.match(text) }
        switch outcome {
        case .success(let ranges): return ranges
        case .failure(let error): throw error
        }
    }

    private static func expand(_ template: [UInt8], _ group: (String) -> [UInt8]) -> String {
        var (text, place) = ([UInt8](), 0)
        while place < template.count {
            let byte = template[place]
            place += 1
            guard byte == UInt8(ascii: "$"), place < template.count else {
                text.append(byte)
                continue
            }
            if template[place] == UInt8(ascii: "$") {
                text.append(byte)
                place += 1
                continue
            }
            let isBraced = template[place] == UInt8(ascii: "{")
            let first = place + (isBraced ? 1 : 0)
            var end = first
            while end < template.count, isWord(template[end]) { end += 1 }
            guard end > first, !isBraced || end < template.count && template[end] == UInt8(ascii: "}") else {
                text.append(byte)
                continue
            }
            text += group(String(decoding: template[first..<end], as: UTF8.self))
            place = end + (isBraced ? 1 : 0)
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }
}

/// What the library keeps of an expression, with room for one match.
private final class Compiled {
    private let code: OpaquePointer
    private let found: OpaquePointer?
    private let context: OpaquePointer?

    /// Steps back before a match is given up: some milliseconds.
    private static let stepsMax: UInt32 = 1_000_000

    init(_ text: String, _ extent: Pattern.Extent) throws(Pattern.PatternError) {
        var (error, place): (Int32, Int) = (0, 0)
        var options = UInt32(PCRE2_UTF) | UInt32(PCRE2_DOTALL) | UInt32(PCRE2_NEVER_BACKSLASH_C)
        if extent == .whole { options |= UInt32(PCRE2_ANCHORED) | UInt32(PCRE2_ENDANCHORED) }
        let bytes = Array(text.utf8)
        guard let code = pcre2_compile_8(bytes, bytes.count, options, &error, &place, nil) else {
            var message = [UInt8](repeating: 0, count: 256)
            let count = pcre2_get_error_message_8(error, &message, message.count)
            throw .malformed(String(decoding: message.prefix(max(0, Int(count))), as: UTF8.self), place: place)
        }
        // Faster where it works, the same where it does not.
        pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        self.code = code
        found = pcre2_match_data_create_from_pattern_8(code, nil)
        context = pcre2_match_context_create_8(nil)
        pcre2_set_match_limit_8(context, Self.stepsMax)
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(found)
        pcre2_code_free_8(code)
    }

    /// Names of groups with their numbers.
    var names: [String: Int] {
        var (count, width): (UInt32, UInt32) = (0, 0)
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &width)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
        var names: [String: Int] = [:]
        guard let table else { return names }
        for entry in 0..<Int(count) {
            // Two bytes of the group's number, then its name and a zero.
            let first = table + entry * Int(width)
            names[String(cString: first + 2)] = Int(first[0]) << 8 | Int(first[1])
        }
        return names
    }

    func match(_ text: String) -> Result<[Range<Int>]?, Pattern.PatternError> {
        var text = text
        return text.withUTF8(match)
    }

    private func match(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<[Range<Int>]?, Pattern.PatternError> {
        let count = pcre2_match_8(code, bytes.baseAddress, bytes.count, 0, UInt32(PCRE2_NO_UTF_CHECK), found, context)
        if count == PCRE2_ERROR_NOMATCH { return .success(nil) }
        guard count > 0, let places = pcre2_get_ovector_pointer_8(found) else { return .failure(.tooMuchWork) }
        let groups = Int(pcre2_get_ovector_count_8(found))
        return .success(
            (0..<groups).map { group in
                let (first, end) = (places[2 * group], places[2 * group + 1])
                return group < count && end >= first && first != Int.max && end <= bytes.count ? first..<end : 0..<0
            })
    }
}
