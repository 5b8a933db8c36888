// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import Kernel

@Suite struct StructuredFieldTests {
    @Test func `the examples of rate limit fields are read and written as they are`() throws {
        for text in [
            #""burst";q=100;w=60, "daily";q=1000;w=86400"#,
            #""peruser";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:"#, #""default";r=50;t=30"#,
        ] {
            let list = try StructuredField.list(text)
            // The byte sequence of the second has bits behind its end, which are not written again.
            #expect(try StructuredField.text(list) == text.replacing("UH==", with: "UA=="), "\(text)")
        }
        let policy = try StructuredField.list(#""burst";q=100;w=60,"daily";q=1000;w=86400"#)
        guard case .item(let item) = policy[1] else { return #expect(Bool(false)) }
        #expect(item.value == .string("daily") && item.parameters["q"] == .integer(1_000))
    }

    @Test(arguments: [
        ("1.5", BareItem.decimal(thousandths: 1_500)), ("-0.001", .decimal(thousandths: -1)), ("007", .integer(7)),
        ("-999999999999999", .integer(-999_999_999_999_999)), (#""a \"b\\""#, .string(#"a "b\"#)),
        ("*a/b:c", .token("*a/b:c")), (":aGk:", .bytes([0x68, 0x69])), ("::", .bytes([])), ("?0", .boolean(false)),
        ("@1688169599", .date(1_688_169_599)), ("%\"caf%c3%a9\"", .display("café")),
    ])
    func `values are read`(text: String, value: BareItem) throws {
        #expect(try StructuredField.item("  \(text) ").value == value)
    }

    @Test(arguments: [
        "", " ", "1.", ".5", "1.2345", "1234567890123.1", "1234567890123456", "--1", "\"a", "\"\\n\"", "\"é\"", ":a b:",
        ":a", ":a===:", "?2", "@1.5", "%\"%C3%A9\"", "%\"%ff\"", "%\"%4\"", "a;B=1", "a;;b", "1,2", "a b", "(1 2)",
    ])
    func `what is no item is refused`(text: String) {
        #expect(throws: StructuredFieldError.self) { try StructuredField.item(text) }
    }

    @Test(arguments: ["a,", "a,,b", ",a", "(1,2)", "(1\t2)", "(1 2", "(1 2)x", "a\u{c}"])
    func `what is no list is refused`(text: String) {
        #expect(throws: StructuredFieldError.self) { try StructuredField.list(text) }
    }

    @Test func `an empty list is one, and a name that comes twice has its last value in its first place`() throws {
        #expect(try StructuredField.list("  ").isEmpty)
        let dictionary = try StructuredField.dictionary("a=1, b;x, a=(2 3);y=?0")
        #expect(try StructuredField.text(dictionary) == "a=(2 3);y=?0, b;x")
    }

    @Test func `what has no form is not written`() {
        for value in [BareItem.string("é"), .token("1a"), .token(""), .integer(1_000_000_000_000_000)] {
            #expect(throws: StructuredFieldError.self) { try StructuredField.text(StructuredItem(value)) }
        }
        #expect(throws: StructuredFieldError.self) {
            try StructuredField.text(StructuredItem(.integer(1), ["Upper": .integer(1)]))
        }
    }

    /// Texts of every kind, whole and damaged, read here and by a reader of other people's making.
    @Test(.enabled(if: Python.isInstalled, "make test installs http-sf"))
    func `another reader reads the same`() async throws {
        let answer = try await Python.run("structured_fields.py", [])
        let lines = answer.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(answer.status == 0 && lines.count == 20_000, "\(answer.errors)")
        var (differing, good) = ([String](), 0)
        for line in lines {
            let parts = line.split(separator: "\u{1f}", omittingEmptySubsequences: false).map(String.init)
            let (kind, text, theirs) = (parts[0], parts[1], parts[2])
            let ours: String? =
                switch kind {
                case "item": try? StructuredField.text(StructuredField.item(text))
                case "list": try? StructuredField.text(StructuredField.list(text))
                default: try? StructuredField.text(StructuredField.dictionary(text))
                }
            if ours ?? "refused" != theirs { differing.append("\(kind) \(text): \(ours ?? "refused"), not \(theirs)") }
            if ours != nil { good += 1 }
        }
        #expect(differing.isEmpty, "\(differing.prefix(10))")
        #expect(good > 5_000 && good < 19_000, "a mixture of good and bad, not \(good) good ones")
    }
}

extension NamedValues: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Value)...) {
        self.init()
        for (name, value) in elements { self[name] = value }
    }
}
