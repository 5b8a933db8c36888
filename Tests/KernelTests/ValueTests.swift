// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Kernel

struct ValueTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2010-12-01 08:26:00Z", 1_291_191_960_000),
        ("2024-02-29T23:59:59.5Z", 1_709_251_199_500),
        ("1969-12-31T23:59:59.999Z", -1), ("2026-11-22T12:00:00+02:30", 1_795_339_800_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ])
    func `RFC 3339 is read to the millisecond`(text: String, milliseconds: Int64) throws {
        let time = try #require(Timestamp(rfc3339: text))
        #expect(time.milliseconds == milliseconds)
        #expect(Timestamp(rfc3339: time.rfc3339) == time)
    }

    @Test func `days agree with the calendar of Foundation over four centuries`() throws {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for day in stride(from: Int64(-50_000), to: 100_000, by: 37) {
            let time = Timestamp(milliseconds: day * 86_400_000 + 12_345_000)
            let foundation = Date(timeIntervalSince1970: Double(time.milliseconds) / 1_000).formatted(format)
            #expect(time.rfc3339 == foundation)
        }
    }

    @Test(arguments: [
        "", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01", "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00Zx", "24-01-01T00:00:00Z", "2024-00-01T00:00:00Z",
    ])
    func `what is no moment is refused`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `identifiers sort by creation and are recognised by their kind`() throws {
        let earlier = ProductID.make(at: Timestamp(milliseconds: 1_000))
        let later = ProductID.make(at: Timestamp(milliseconds: 1_001))
        #expect(earlier < later)
        #expect(ProductID(later.rawValue) == later)
        #expect(VariantID(later.rawValue) == nil)
        #expect(ProductID("prod_01k9x3c5v8q2e6m4n7p0r1s2t") == nil)
        #expect(ProductID("prod_01k9x3c5v8q2e6m4n7p0r1s2tu") == nil, "u is no digit")
    }

    @Test func `identifiers of one millisecond sort by creation, though the clocks of two shops take turns`() {
        let (stopped, running) = (Timestamp(milliseconds: 1_234_567), Timestamp(milliseconds: 1_795_339_800_000))
        var made: [Timestamp: [String]] = [:]
        for number in 0..<20_000 {
            let time = number.isMultiple(of: 3) ? stopped : running.advanced(by: .milliseconds(number / 5_000))
            made[time, default: []].append(ProductID.make(at: time).rawValue)
        }
        #expect(made.count == 5)
        for identifiers in made.values { #expect(identifiers == Set(identifiers).sorted()) }
        // Nobody can tell the next: the steps are unlike each other.
        let ends = Set(made[stopped, default: []].map { $0.suffix(6) })
        #expect(ends.count > 6_000)
    }

    @Test func `a page tells whether the list goes on, in both directions`() {
        func page(_ rows: [Int], limit: Int, _ position: PagePosition?) -> Page<Int> {
            Page(rows: rows, for: PageRequest(limit: limit, position: position)) { [.integer(Int64($0))] }
        }
        let first = page([1, 2, 3], limit: 2, nil)
        #expect(first.elements == [1, 2] && first.previous == nil)
        #expect(first.next == PagePosition(keys: [.integer(2)], direction: .forward))
        let last = page([3], limit: 2, first.next)
        #expect(last.elements == [3] && last.next == nil)
        let back = page([2, 1], limit: 2, last.previous)
        #expect(back.elements == [1, 2] && back.previous == nil && back.next != nil)
    }
}
