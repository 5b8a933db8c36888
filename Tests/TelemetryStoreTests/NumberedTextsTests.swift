// SPDX-License-Identifier: Apache-2.0

import Kernel
import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

/// Texts with their numbers apart read as they were written.
struct NumberedTextsTests {
    private static func column(_ texts: [String]) -> ValueColumnWriter {
        var column = ValueColumnWriter(.string)
        for text in texts { _ = Array(text.utf8).withUnsafeBufferPointer { column.add(text: $0) } }
        return column
    }

    private static func read(_ section: [UInt8]) throws -> [String] {
        let plain = try NumberedTexts.together(section)
        let column = try ValueColumn(.string, plain)
        return column.numbers.map { String(decoding: plain[column.texts[Int($0)]], as: UTF8.self) }
    }

    @Test(arguments: [
        (0..<500).map { "user-\($0 * 7_919 % 50_000)" },
        (0..<500).map { "10.\($0 % 8).\($0 * 31 % 250).7" },
        (0..<500).map { "\($0 % 5 == 0 ? "GET" : "PUT") /v1/orders/\($0)/lines/\($0 % 3) in \($0 % 7) ms" },
        (0..<100).map { "0 00 007 \($0) 123456789012345678 1234567890123456789" },
        (0..<100).map { _ in "" } + (0..<40).map { "\($0)" },
    ])
    func `what is alike but for its numbers is kept apart and reads the same`(texts: [String]) throws {
        let column = Self.column(texts)
        let apart = try #require(NumberedTexts.apart(column))
        #expect(apart.count < column.bytes.count)
        #expect(try Self.read(apart) == texts)
        #expect(try NumberedTexts.together(apart) == column.bytes)
    }

    @Test(arguments: [
        [], ["a 1"], (0..<100).map { String($0 * 7_919 % 100_000, radix: 36) + "x" + String($0, radix: 2) },
        (0..<100).map { "a \($0) \u{0}" }, (0..<15).map { "a \($0)" },
    ])
    func `what has too little in common stays as it is`(texts: [String]) throws {
        let column = Self.column(texts)
        #expect(NumberedTexts.apart(column) == nil)
        #expect(try NumberedTexts.together(column.bytes) == column.bytes)
        #expect(try Self.read(column.bytes) == texts)
    }

    private static func form(_ random: inout SeededGenerator) -> [String] {
        let parts = ["a", "#", "-", "0", "é", "##", " "]
        return (0...Int.random(in: 0...5, using: &random)).map { _ in parts[Int.random(in: 0..<7, using: &random)] }
    }

    private static func text(of form: [String], _ random: inout SeededGenerator) -> String {
        form.map { part in
            guard part.hasPrefix("#") else { return part }
            let most = UInt64.max >> UInt64.random(in: 0...63, using: &random)
            return String(UInt64.random(in: 0...most, using: &random))
        }.joined()
    }

    @Test func `texts of any kind read the same`() throws {
        var random = SeededGenerator(seed: 11)
        var apart = 0
        for _ in 0..<300 {
            let forms = (0...Int.random(in: 0...3, using: &random)).map { _ in Self.form(&random) }
            let texts = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                Self.text(of: forms[Int.random(in: 0..<forms.count, using: &random)], &random)
            }
            guard let section = NumberedTexts.apart(Self.column(texts)) else { continue }
            apart += 1
            #expect(try Self.read(section) == texts)
        }
        #expect(apart > 50)
    }

    @Test func `damaged bytes are said to be damaged, and nothing worse`() throws {
        var random = SeededGenerator(seed: 12)
        let good = try #require(NumberedTexts.apart(Self.column((0..<200).map { "a\($0) b\($0 * 3)" })))
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            do { _ = try Self.read(bytes) } catch let failure as Failure { #expect(failure.code == .corrupt) }
        }
    }
}
