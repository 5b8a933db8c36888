// SPDX-License-Identifier: Apache-2.0

import Telemetry
import TestSupport
import Testing

@testable import TelemetryStore

struct CodecTests {
    private static func roundTrip(_ samples: SampleColumns) throws -> (samples: SampleColumns, bytes: Int) {
        let chunk = try #require(SampleChunk(samples))
        var read = SampleColumns()
        try chunk.read(into: &read)
        return (read, chunk.bytes.count)
    }

    private static func same(_ left: SampleColumns, _ right: SampleColumns) -> Bool {
        left.times == right.times && left.values.map(\.bitPattern) == right.values.map(\.bitPattern)
    }

    private static let samples: [[Double]] = [
        [0], [1, 2, 3], [0.1, 0.2, 0.1 + 0.2], [.nan, .infinity, -.infinity, -0.0, 0], [StaleMarker.value],
        [1e300, 1e-300, .leastNonzeroMagnitude], [9_007_199_254_740_992, -9_007_199_254_740_994, 1.5],
        [1, 2, 3, 4, 5, 6, 7, 8, StaleMarker.value, 10], [.pi, .pi, .pi], [123.456, 123.457, 123.458],
    ]

    @Test(arguments: samples)
    func `values come back bit by bit`(values: [Double]) throws {
        let samples = SampleColumns(times: values.indices.map { Int64($0) * 15_000 - 7 }, values: values)
        #expect(Self.same(try Self.roundTrip(samples).samples, samples))
    }

    @Test func `random samples come back bit by bit`() throws {
        let oddities = [Double.nan, StaleMarker.value, .infinity]
        var random = SeededGenerator(seed: 5)
        for _ in 0..<3_000 {
            let count = Int.random(in: 1...300, using: &random)
            let digits: Double = [1, 10, 1_000, 1_000_000].randomElement(using: &random) ?? 1
            let jitter = Int64.random(in: 0...400, using: &random)
            let (kind, odd) = (Int.random(in: 0..<5, using: &random), Int.random(in: 0..<4, using: &random) == 0)
            var (time, value) = (Int64.random(in: -1_000_000...2_000_000_000_000, using: &random), 0.0)
            var samples = SampleColumns()
            for _ in 0..<count {
                switch kind {
                case 0: value += Double(Int.random(in: 0...50, using: &random))
                case 1: value = (Double.random(in: -1_000...1_000, using: &random) * digits).rounded() / digits
                case 2: value += Double.random(in: 0...1, using: &random)
                case 3: value = Double(bitPattern: random.next())
                default: value = Double(Int64.random(in: .min ... .max, using: &random))
                }
                let strange = odd && Int.random(in: 0..<20, using: &random) == 0
                samples.append(
                    time, strange ? oddities.randomElement(using: &random) ?? 0 : value)
                time += 15_000 + (jitter > 0 ? Int64.random(in: 0...jitter, using: &random) : 0)
            }
            let read = try Self.roundTrip(samples).samples
            guard Self.same(read, samples) else {
                Issue.record("kind \(kind): \(samples) came back as \(read)")
                return
            }
        }
    }

    @Test func `what metrics mostly are takes a byte or less a sample`() throws {
        var random = SeededGenerator(seed: 3)
        let times = (0..<1_024).map { Int64($0) * 10_000 }
        var counter = 0.0
        let counts = times.map { _ in
            counter += Double(Int.random(in: 0...20, using: &random))
            return counter
        }
        let ratios = times.map { _ in (Double.random(in: 0...1, using: &random) * 10).rounded() / 10 }
        #expect(try Self.roundTrip(SampleColumns(times: times, values: counts)).bytes < 1_024 + 40)
        #expect(try Self.roundTrip(SampleColumns(times: times, values: ratios)).bytes < 1_024 + 40)
        #expect(try Self.roundTrip(SampleColumns(times: times, values: times.map { _ in 1.5 })).bytes < 40)
    }

    @Test func `a damaged chunk is an error or other samples, never a crash`() throws {
        var random = SeededGenerator(seed: 9)
        let samples = SampleColumns(
            times: (0..<200).map { $0 * 1_000 + Int64.random(in: 0...3, using: &random) },
            values: (0..<200).map { _ in Double.random(in: 0...1, using: &random) })
        let chunk = try #require(SampleChunk(samples))
        for _ in 0..<20_000 {
            var bytes = chunk.bytes
            for _ in 0...Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...bytes.count / 4, using: &random))
            var read = SampleColumns()
            try? SampleChunk(times: 0...1, count: 1, bytes: bytes).read(into: &read)
        }
    }

    @Test func `planes and packed numbers are read as they were written`() {
        var random = SeededGenerator(seed: 3)
        for count in [0, 1, 2, 127, 128, 129, 1_000] {
            for width in 0...64 {
                let values = (0..<count).map { _ in
                    width == 0 ? 0 : UInt64.random(in: .min ... .max, using: &random) >> UInt64(64 - width)
                }
                var writer = ByteWriter()
                writer.packed(values)
                writer.planes(values)
                writer.byte(77)
                writer.bytes.withUnsafeBufferPointer { buffer in
                    var reader = ByteReader(buffer)
                    #expect(reader.packed(count) == values)
                    #expect(reader.planes(count) == values)
                    #expect(reader.byte() == 77 && !reader.isDamaged)
                    // Cut short.
                    var short = ByteReader(UnsafeBufferPointer(rebasing: buffer.prefix(buffer.count / 3)))
                    _ = (short.packed(count), short.planes(count))
                }
            }
        }
    }
}
