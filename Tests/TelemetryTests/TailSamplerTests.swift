// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Telemetry

@Suite struct TailSamplerTests {
    /// A span as small as one can be: its trace's number.
    private typealias Sampler = TailSampler<Int32>

    private static func id(_ number: Int) -> TraceID {
        // Spread, so that the last bits are as good as random.
        var value = UInt64(number) &+ 0x9E37_79B9_7F4A_7C15
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return TraceID(high: UInt64(number) + 1, low: value ^ value >> 31)
    }

    private static func facts(
        _ number: Int, isRoot: Bool = false, isError: Bool = false, route: String = "r", milliseconds: Int = 10,
        bytes: Int = 64
    ) -> Sampler.Facts {
        .init(
            traceID: id(number), isRoot: isRoot, isError: isError, route: route,
            duration: .milliseconds(milliseconds), bytes: bytes)
    }

    private static func configuration(_ change: (inout TailSampling) -> Void = { _ in })
        -> TailSampling
    {
        var configuration = TailSampling()
        configuration.slowestPerRoute = 0
        configuration.firstPerRoute = 0
        configuration.share = 0
        change(&configuration)
        return configuration
    }

    private struct Books {
        var kept: [TraceID: Int] = [:]
        var reasons: [Sampler.Reason: Int] = [:]
        var estimate = 0.0
        var (delivered, sampledOut, dropped) = (0, 0, 0)

        mutating func enter(_ actions: [Sampler.Action]) {
            for action in actions {
                switch action {
                case .keep(let id, let spans, let adjustedCount, let reason):
                    if kept[id] == nil {
                        reasons[reason, default: 0] += 1
                        estimate += adjustedCount
                    }
                    kept[id, default: 0] += spans.count
                    delivered += spans.count
                case .sampledOut(let spans): sampledOut += spans.count
                case .dropped(let spans): dropped += spans
                }
            }
        }
    }

    @Test func `an error that comes a minute late brings the whole trace back`() {
        var sampler = Sampler(Self.configuration(), now: .zero)
        var books = Books()
        books.enter(sampler.add(1, Self.facts(1), now: .seconds(1)))
        books.enter(sampler.add(1, Self.facts(1, isRoot: true), now: .seconds(2)))
        books.enter(sampler.tick(now: .seconds(10)))
        #expect(books.kept.isEmpty)
        books.enter(sampler.add(1, Self.facts(1, isError: true), now: .seconds(62)))
        #expect(books.kept[Self.id(1)] == 3)
        books.enter(sampler.add(1, Self.facts(1), now: .seconds(63)))
        #expect(books.kept[Self.id(1)] == 4)
        books.enter(sampler.finish(now: .seconds(400)))
        #expect((books.delivered, books.sampledOut, books.dropped) == (4, 0, 0))
        #expect(sampler.bytes == 0)
    }

    @Test func `the slowest, the first and the chosen are kept, each for its reason`() {
        var sampler = Sampler(
            Self.configuration {
                $0.slowestPerRoute = 2
                $0.firstPerRoute = 1
            }, now: .zero)
        var books = Books()
        var random = Self.facts(0)
        for number in 0..<1_000 {
            random = Self.facts(number, isRoot: true, route: "busy", milliseconds: number == 500 ? 900 : 10)
            random.isChosen = number == 700
            books.enter(sampler.add(0, random, now: .seconds(1)))
        }
        books.enter(sampler.add(0, Self.facts(5_000, isRoot: true, route: "rare"), now: .seconds(1)))
        books.enter(sampler.tick(now: .seconds(5)))
        #expect(books.kept[Self.id(500)] == 1, "the slowest")
        #expect(books.kept[Self.id(700)] == 1, "the chosen")
        #expect(books.kept[Self.id(5_000)] == 1, "the only one of its route")
        #expect(books.reasons == [.first: 2, .slow: 3 - 1, .chosen: 1])
    }

    /// One per cent errors whose span comes up to a minute late, spans out of order, one trace of 50,000 spans.
    @Test func `of many traces every error is whole, and totals are right`() throws {
        let isLong = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1"
        let traces = isLong ? 1_000_000 : 100_000
        var sampler = Sampler(
            Self.configuration {
                $0.share = 0.05
                $0.perSecondMax = .infinity
            }, now: .zero)
        var dice = SystemRandomNumberGenerator()
        var books = Books()
        var (produced, errors, restSpans) = (0, 0, 0)
        var late: [(due: Int, trace: Int)] = []
        // A thousand traces a second; time in milliseconds.
        for number in 0..<traces {
            let now = Duration.milliseconds(number)
            let isError = number % 100 == 7
            let spans = number == traces / 2 ? 50_000 : 4
            var places = Array(0..<spans)
            places.shuffle(using: &dice)
            for place in places {
                produced += 1
                books.enter(sampler.add(Int32(number), Self.facts(number, isRoot: place == 0), now: now))
            }
            if isError {
                errors += 1
                late.append((due: number + Int.random(in: 0...60_000, using: &dice), trace: number))
            } else {
                restSpans += 1
            }
            if number % 1_000 == 0 {
                books.enter(sampler.tick(now: now))
                for entry in late where entry.due <= number {
                    produced += 1
                    books.enter(sampler.add(Int32(entry.trace), Self.facts(entry.trace, isError: true), now: now))
                }
                late.removeAll { $0.due <= number }
                #expect(sampler.bytes <= 64 << 20)
            }
        }
        for entry in late {
            produced += 1
            books.enter(
                sampler.add(Int32(entry.trace), Self.facts(entry.trace, isError: true), now: .milliseconds(traces)))
        }
        books.enter(sampler.finish(now: .milliseconds(traces + 120_000)))
        #expect(produced == books.delivered + books.sampledOut + books.dropped, "every span is somewhere")
        #expect(books.dropped == 0)
        for number in stride(from: 7, to: traces, by: 100) {
            let spans = number == traces / 2 ? 50_001 : 5
            guard books.kept[Self.id(number)] != spans else { continue }
            Issue.record("error trace \(number) has \(books.kept[Self.id(number)] ?? 0) of \(spans) spans")
            break
        }
        let rest = books.kept.count - errors
        let target = 0.05 * Double(traces - errors)
        #expect(abs(Double(rest) - target) < target * 0.1, "\(rest) of the rest were kept, \(target) wanted")
        // Four standard errors of a total estimated from a share of 5 %.
        let error = 4 * (Double(traces - errors) * 0.95 / 0.05).squareRoot()
        #expect(abs(books.estimate - Double(traces)) < error, "\(books.estimate) estimated of \(traces)")
    }

    @Test func `short of memory, what was sampled out goes first, and errors last`() {
        var sampler = Sampler(Self.configuration { $0.bytesMax = 100_000 }, now: .zero)
        var books = Books()
        var produced = 0
        for number in 0..<2_000 {
            produced += 1
            books.enter(
                sampler.add(0, Self.facts(number, isError: number % 50 == 0, bytes: 1_000), now: .milliseconds(number)))
            #expect(sampler.bytes <= 101_200)
        }
        books.enter(sampler.finish(now: .seconds(100)))
        #expect(produced == books.delivered + books.sampledOut + books.dropped)
        #expect(books.dropped > 1_500)
        for number in stride(from: 0, to: 2_000, by: 50) { #expect(books.kept[Self.id(number)] == 1) }
        #expect((sampler.bytes, sampler.spans) == (0, 0), "nothing is left behind, or counted twice")
    }

    @Test func `a burst after quiet is held down from its first second`() {
        var sampler = Sampler(Self.configuration { $0.share = 1 }, now: .zero)
        var books = Books()
        for number in 0..<5_000 {
            books.enter(sampler.add(0, Self.facts(number, isRoot: true), now: .milliseconds(500)))
        }
        books.enter(sampler.tick(now: .milliseconds(2_600)))
        // Ten, and then ten among the n-th: 10 (1 + ln 500) are expected.
        #expect((30...120).contains(books.kept.count), "\(books.kept.count)")
        #expect(abs(books.estimate - 5_000) < 4_000, "\(books.estimate)")
    }

    @Test func `a caller cannot choose an identifier that is kept`() {
        var kept = 0
        for _ in 0..<200 {
            var sampler = Sampler(Self.configuration { $0.share = 0.1 }, now: .zero)
            var facts = Self.facts(0, isRoot: true)
            facts.traceID = TraceID(high: 1, low: 1)
            _ = sampler.add(0, facts, now: .zero)
            for case .keep in sampler.finish(now: .seconds(5)) { kept += 1 }
        }
        #expect((2...50).contains(kept), "\(kept) of 200")
    }

    @Test func `a burst is kept at the rate that was asked for`() {
        var sampler = Sampler(
            Self.configuration {
                $0.share = 1
                $0.perSecondMax = 10
            }, now: .zero)
        var books = Books()
        for number in 0..<60_000 {
            let now = Duration.milliseconds(number)
            books.enter(sampler.add(0, Self.facts(number, isRoot: true), now: now))
            if number % 100 == 0 { books.enter(sampler.tick(now: now)) }
            if number == 10_000 { books = Books() }
        }
        books.enter(sampler.tick(now: .seconds(63)))
        // Fifty seconds at ten a second.
        #expect((400...600).contains(books.kept.count), "\(books.kept.count)")
        #expect(abs(books.estimate - 52_000) < 8_000, "\(books.estimate)")
    }
}
