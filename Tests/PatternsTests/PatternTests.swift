// SPDX-License-Identifier: Apache-2.0

import Patterns
import Testing

struct PatternTests {
    @Test(arguments: [
        ("a|ab", "ab", true), ("a", "ba", false), ("", "", true), ("a.c", "a\nc", true), ("a$", "a\n", false),
        ("(?i)PRO.*", "production", true), ("[[:alpha:]]+", "änd", false), (#"\p{L}+"#, "änd", true), ("é", "é", true),
    ])
    func `a whole match takes the text from its first byte to its last`(
        pattern: String, text: String, matches: Bool
    ) throws {
        #expect(try Pattern(pattern, .whole).matches(text) == matches)
    }

    @Test func `a part is found anywhere`() throws {
        #expect(try Pattern("time.?out").matches("request timed out: timeout after 3 s"))
        #expect(try !Pattern("time.?out").matches("all is well"))
    }

    @Test(arguments: [
        ("(.*)-value-(.*)", "$1/$2", "source-value-10", "source/10"),
        ("(?P<name>[a-z]+).*", "${name}x", "abc1", "abcx"),
        ("(a)(b)?", "[$2]", "a", "[]"), (".*", "$9$$", "a", "$"), ("(.)", "$1x|${1}x", "a", "|ax"),
        (".*", "cost $", "a", "cost $"), (".*", "${open", "a", "${open"),
    ])
    func `groups stand where the template names them`(
        pattern: String, template: String, text: String, expanded: String
    ) throws {
        #expect(try Pattern(pattern, .whole).expanded(template, for: text) == expanded)
    }

    @Test func `what is no expression is refused with its place`() {
        #expect(throws: Pattern.PatternError.self) { try Pattern("a(b") }
        #expect { try Pattern("ab[") } throws: { "\($0)".hasSuffix("at offset 3") }
    }

    @Test func `a text that would keep an expression busy for ever is given up`() throws {
        let pattern = try Pattern("(x+x+)+[yz]", .whole)
        #expect(throws: Pattern.PatternError.tooMuchWork) {
            try pattern.matches(String(repeating: "x", count: 60))
        }
        #expect(try pattern.matches("xxxz"), "and goes on with the next")
    }
}
