// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Kernel

struct JSONTests {
    @Test(arguments: [
        #"{"a":[1,-2,0,9223372036854775807],"b":{"c":null,"d":true,"e":false},"f":""}"#,
        #"["\"\\\/\b\f\n\r\t","é","😀","\u0000"]"#, "0", "-0.5e+10", #""x""#, "[]", "{}",
        "123456789012345678901234567890",
    ])
    func `what is read is written with the same meaning`(text: String) throws {
        let value = try JSON.parse(text.utf8)
        #expect(try JSON.parse(value.text.utf8) == value)
        #expect(try JSON.parse(value.prettyText.utf8) == value)
    }

    @Test(arguments: [
        ("", 0), ("{", 1), (#"{"a":}"#, 5), ("[1,]", 3), ("01", 2), ("1 2", 2), ("tru", 0), (#""a"#, 2), ("-", 1),
        ("1.", 2), ("1e", 2), (#"{"a":1 "b":2}"#, 7), ("nul", 0), ("\"\u{1}\"", 1), (#""\x""#, 2), (#""\ud800""#, 7),
        ("[1}", 2), ("{1:2}", 1),
    ])
    func `a mistake is found where it is`(text: String, offset: Int) {
        let error = #expect(throws: JSONSyntaxError.self) { try JSON.parse(text.utf8) }
        #expect(error?.offset == offset)
    }

    @Test func `a name that occurs twice is refused, in small and in large objects`() {
        #expect(throws: JSONSyntaxError.self) { try JSON.parse(#"{"a":1,"a":2}"#.utf8) }
        let many = "{" + (0..<50).map { "\"k\($0)\":0" }.joined(separator: ",")
        #expect(throws: Never.self) { try JSON.parse((many + "}").utf8) }
        #expect(throws: JSONSyntaxError.self) { try JSON.parse((many + ",\"k3\":1}").utf8) }
        #expect(throws: JSONSyntaxError.self) { try JSON.parse((many + ",\"k40\":1}").utf8) }
    }

    @Test func `deep nesting ends with an error instead of the stack`() {
        let deep = String(repeating: "[", count: 1_000_000)
        let error = #expect(throws: JSONSyntaxError.self) { try JSON.parse(deep.utf8) }
        #expect(error?.offset == 32)
    }

    @Test(arguments: [
        [0xFF], [0x22, 0xC3, 0x28, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
    ])
    func `text that is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(throws: JSONSyntaxError.self) { try JSON.parse(bytes) }
    }

    @Test func `no bytes whatever crash the parser`() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("{}[]\",:0123456789.eE+-truefalsn\\u \n\u{e9}".utf8) + [0, 0xFF, 0xC3]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            if let value = try? JSON.parse(bytes) { #expect((try? JSON.parse(value.text.utf8)) == value) }
        }
    }
}
