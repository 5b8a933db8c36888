// SPDX-License-Identifier: Apache-2.0

import PromQL
import Telemetry
import TestSupport
import Testing

@testable import PromQL

struct AnswerMemoryTests {
    private static let labels = LabelSet([MetricLabel(LabelSet.name, "beats")])

    /// Samples ten seconds apart.
    private static func beats(_ seconds: Range<Int64>) -> SampleColumns {
        let times = seconds.filter { $0 % 10 == 0 }
        return SampleColumns(times: times.map { $0 * 1_000 }, values: times.map { Double($0 / 10) })
    }

    private static func ask(
        _ query: String, _ seconds: ClosedRange<Int64>, step: Int64 = 30, _ memory: AnswerMemory, _ source: TableSource
    ) throws -> (series: [QuerySeries], read: Int) {
        var settings = QueryEngine.Settings()
        settings.memory = memory
        let engine = QueryEngine(settings)
        let before = source.samplesRead
        let series = try engine.range(
            query, from: seconds.lowerBound * 1_000, through: seconds.upperBound * 1_000,
            step: step * 1_000, on: source)
        return (series, source.samplesRead - before)
    }

    @Test func `what has been answered is not read again, what is new or has changed is`() throws {
        let (source, memory) = (TableSource(), AnswerMemory())
        source.add(Self.labels, Self.beats(0..<1_000))
        func ask(_ seconds: ClosedRange<Int64>, step: Int64 = 30, _ query: String = "beats") throws -> Int {
            let (series, read) = try Self.ask(query, seconds, step: step, memory, source)
            let (fresh, _) = try Self.ask(query, seconds, step: step, AnswerMemory(), source)
            #expect(series.map(\.labels) == fresh.map(\.labels) && series.map(\.samples) == fresh.map(\.samples))
            return read
        }
        #expect(try ask(0...900) == 91)
        #expect(try ask(0...900) == 0)
        #expect(try ask(300...600) == 0, "a part of it")
        #expect(try ask(0...900) == 0, "of which the whole stays known")
        #expect(try ask(-30...900) == 91, "it begins earlier")
        #expect(try ask(15...900) == 89, "its steps stand elsewhere")
        #expect(try ask(0...900, step: 60) == 91, "and are longer")
        #expect(try ask(0...990) == 36, "of five minutes before three more steps, and of these")
        source.add(Self.labels, SampleColumns(times: [500_500], values: [7]))
        #expect(try ask(0...990) == 79, "of what was late, and of what came after")
        source.add(Self.labels, Self.beats(1_000..<1_100))
        #expect(try ask(0...990) == 0, "what is later than all steps changes none")
        #expect(try ask(0...1_080) == 36)
        source.removeAll(before: 400_000)
        #expect(try ask(0...1_080) > 36)
    }

    @Test func `who asks for less time does not make what is known shorter`() throws {
        let (source, memory) = (TableSource(), AnswerMemory())
        source.add(Self.labels, Self.beats(0..<660))
        func read(_ seconds: ClosedRange<Int64>) throws -> Int { try Self.ask("beats", seconds, memory, source).read }
        #expect(try read(0...600) == 61)
        source.add(Self.labels, Self.beats(660..<720))
        #expect(try read(300...630) == 30)
        #expect(try read(30...630) == 0)
        #expect(try read(0...630) == 64, "what lies before is forgotten as time goes on")
    }

    @Test func `queries that read the same and are not are not taken for each other`() throws {
        let (source, memory) = (TableSource(), AnswerMemory())
        source.add(Self.labels, Self.beats(0..<1_000))
        for (query, series) in [
            ("{__name__=\"beats\",__name__=\"other\"}", 0), ("beats", 1), ("{\"NaN\"}", 0), ("NaN", 1),
            ("label_replace(beats, \"a\", \"\u{E9}\", \"\", \"\")", 1),
            ("label_replace(beats, \"a\", \"e\u{301}\", \"\", \"\")", 1),
        ] {
            let found = try Self.ask(query, 0...900, memory, source).series
            #expect(found.count == series, "\(query)")
            let fresh = try Self.ask(query, 0...900, AnswerMemory(), source).series
            #expect(found.map { Array($0.labels["a"].utf8) } == fresh.map { Array($0.labels["a"].utf8) })
        }
        let engine = QueryEngine()
        for text in [
            "{__name__=\"beats\",__name__=\"other\"}", "{\"NaN\"}", "{\"Inf\"}", "NaN", "beats",
            "a / fill_left (0) fill_right (-0) b",
        ] {
            #expect(try engine.parse(engine.parse(text).text).text == engine.parse(text).text)
            #expect(try engine.parse(text).text == text)
        }
    }

    @Test func `of equal values the same are chosen, whatever the order in which they are read`() throws {
        for query in ["topk(2, beats)", "bottomk(2, beats)"] {
            var found: Set<[LabelSet]> = []
            for round in 0..<5 {
                let source = TableSource()
                for place in 0..<40 {
                    source.add(
                        Self.labels.with("id", "\((place * 7 + round) % 40)"), SampleColumns(times: [0], values: [1]))
                }
                let series = try QueryEngine().range(query, from: 0, through: 60_000, step: 30_000, on: source)
                found.insert(series.map(\.labels))
            }
            #expect(found == [["0", "1"].map { Self.labels.with("id", $0) }], "\(query)")
        }
    }

    @Test func `callers at once have the same answers`() async throws {
        let (source, memory) = (TableSource(), AnswerMemory())
        source.add(Self.labels, Self.beats(0..<1_000))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for round: Int64 in 0..<40 {
                        if number == 0 { source.add(Self.labels, Self.beats(1_000 + round * 10..<1_010 + round * 10)) }
                        let end = 600 + round * 30
                        // Samples up to 990 seconds are there from the beginning.
                        let steps = stride(from: end - 600, through: min(end, 990), by: 30)
                        let series = try Self.ask("beats", end - 600...end, memory, source).series
                        let times = series.first?.samples.times ?? []
                        guard times.starts(with: steps.map { $0 * 1_000 }) else { return false }
                    }
                    return true
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func `what depends on more than what was before is evaluated each time`() throws {
        let (source, memory) = (TableSource(), AnswerMemory())
        source.add(Self.labels, Self.beats(0..<1_000))
        for query in [
            "beats @ end()", "beats @ 500", "beats offset -1m", "rate(beats[range()])", "beats offset step()",
            "increase(beats[1m] smoothed)", "beats smoothed", "limitk(1, beats)", "beats * end()", "info(beats)",
            "max_over_time(beats[5m:1m] @ start())", "max_over_time(beats[5m:step()])",
            "topk(scalar(beats offset -1m), beats)",
        ] {
            _ = try Self.ask(query, 0...900, memory, source)
            #expect(try Self.ask(query, 0...900, memory, source).read > 0, "\(query)")
        }
        for query in [
            "beats offset 1m", "sum(rate(beats[5m]))", "max_over_time(beats[5m:1m])", "topk(1, beats)",
            "beats > 5 or -beats", "label_replace(beats, \"a\", \"b\", \"\", \"\")", "rate(beats[1m] anchored)",
        ] {
            _ = try Self.ask(query, 0...900, memory, source)
            #expect(try Self.ask(query, 0...900, memory, source).read == 0, "\(query)")
        }
    }

    @Test func `answers take no more room than there is, and those asked for last stay`() throws {
        let source = TableSource()
        source.add(Self.labels, Self.beats(0..<1_000))
        // An answer of 31 values takes less than 1,200 bytes, and more than 960.
        let memory = AnswerMemory(bytesMax: 4_800)
        func isKnown(_ number: Int) throws -> Bool {
            try Self.ask("beats + \(number)", 0...900, memory, source).read == 0
        }
        for number in 0..<4 { #expect(try !isKnown(number)) }
        for number in 0..<4 { #expect(try isKnown(number)) }
        for number in 4..<6 { #expect(try !isKnown(number)) }
        #expect(try isKnown(3) && isKnown(5))
        #expect(try !isKnown(0))
        // Larger than a quarter of all.
        for _ in 0..<2 { #expect(try Self.ask("beats", 0...990, step: 10, memory, source).read > 0) }
    }

    /// Series grow, some samples come late, the oldest go; the same queries are asked a little later each time.
    @Test(arguments: 1...4)
    func `with a memory answers are what they are without`(seed: UInt64) throws {
        let (source, memory) = (TableSource(), AnswerMemory())
        var settings = QueryEngine.Settings()
        settings.semantics = seed % 2 == 0 ? .v2 : .v3
        let plain = QueryEngine(settings)
        settings.memory = memory
        let engine = QueryEngine(settings)
        let all = RandomSeries.make(seed: seed).flatMap(\.series)
        var random = RandomQueries(generator: SeededGenerator(seed: seed))
        let queries = (0..<30).map { _ in random.vector() }
        var (now, late, read, readWithout, answered) = (RandomSeries.start, all.map { _ in SampleColumns() }, 0, 0, 0)
        for _ in 0..<40 {
            let before = now
            now += Int64.random(in: 5...60, using: &random.generator) * 1_000
            for (place, (labels, samples)) in all.enumerated() {
                var coming = SampleColumns()
                for sample in samples.times.indices where samples.times[sample] > before && samples.times[sample] <= now
                {
                    if Int.random(in: 0..<20, using: &random.generator) == 0 {
                        late[place].append(samples.times[sample], samples.values[sample])
                    } else {
                        coming.append(samples.times[sample], samples.values[sample])
                    }
                }
                source.add(labels, coming)
                if Int.random(in: 0..<40, using: &random.generator) == 0 {
                    source.add(labels, late[place])
                    late[place] = SampleColumns()
                }
            }
            if Int.random(in: 0..<12, using: &random.generator) == 0 { source.removeAll(before: now - 400_000) }
            for query in queries {
                let step: Int64 = query.utf8.count % 2 == 0 ? 15_000 : 40_000
                let (start, end) = ((now - 600_000) / step * step, now / step * step + step)
                func answer(_ engine: QueryEngine) -> (answer: Answer, read: Int) {
                    let before = source.samplesRead
                    let answer = Answer {
                        try engine.range(query, from: start, through: end, step: step, on: source)
                    }
                    return (answer, source.samplesRead - before)
                }
                let (ours, theirs) = (answer(engine), answer(plain))
                (read, readWithout) = (read + ours.1, readWithout + theirs.1)
                // A range may be refused for what only its first steps have, whose answers are remembered.
                if case .refused = theirs.0 { continue }
                answered += 1
                if let difference = ours.0.difference(from: theirs.0, query) { Issue.record("\(query): \(difference)") }
            }
        }
        #expect(answered > 400)
        #expect(read * 10 < readWithout * 9, "\(read) of \(readWithout)")
    }
}
