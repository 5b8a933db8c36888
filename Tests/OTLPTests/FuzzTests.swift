// SPDX-License-Identifier: Apache-2.0

import Foundation
import Telemetry
import Testing

@testable import DecoderFuzz
@testable import OTLP

/// What strangers may send: valid requests with bytes changed, left out, doubled and exchanged. `Scripts/fuzz.sh` goes on from
/// here with libFuzzer, which sees what it reaches.
struct FuzzTests {
    /// Small steps that a seed makes repeatable (SplitMix64; Steele, Lea and Flood, 2014).
    private struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    @Test func `no input of a stranger ends the process`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var dice = Dice(state: seed)
        let corpus = Corpus.inputs
        for _ in 0..<150_000 {
            var input = corpus.randomElement(using: &dice) ?? [0]
            for _ in 0..<Int.random(in: 1...4, using: &dice) { mutate(&input, corpus, &dice) }
            guard let choice = input.first else { continue }
            Decoders.decode(Array(input.dropFirst()), choice)
        }
    }

    private func mutate(_ input: inout [UInt8], _ corpus: [[UInt8]], _ dice: inout Dice) {
        guard !input.isEmpty else { return input = [UInt8.random(in: 0...11, using: &dice)] }
        let place = Int.random(in: 0..<input.count, using: &dice)
        switch Int.random(in: 0..<6, using: &dice) {
        case 0: input[place] = UInt8.random(in: .min ... .max, using: &dice)
        case 1: input[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
        case 2: input.remove(at: place)
        case 3: input.insert(contentsOf: input[place...].prefix(Int.random(in: 1...40, using: &dice)), at: place)
        case 4: input.removeLast(input.count - place)
        default: input += corpus.randomElement(using: &dice)?.suffix(20) ?? []
        }
    }

    @Test func `the inputs to begin with are valid`() throws {
        for input in Corpus.inputs where input[0] < 6 {
            let signal = Signal.allCases[Int(input[0] % 3)]
            let format: WireFormat = input[0] < 3 ? .protobuf : .json
            let result = try SignalDecoder.decode(Array(input.dropFirst()), signal, format)
            #expect(result.batch.count > 0, "\(input[0])")
        }
        // For libFuzzer, where it asks.
        guard let folder = ProcessInfo.processInfo.environment["VITRINE_FUZZ_CORPUS"] else { return }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (number, input) in Corpus.inputs.enumerated() {
            try Data(input).write(to: URL(filePath: "\(folder)/\(number)"))
        }
    }
}

/// Valid inputs of every decoder.
private enum Corpus {
    static let inputs: [[UInt8]] =
        [
            [0] + RequestEncoder.spans(spans, from: resource), [2] + RequestEncoder.logs(logs, from: resource),
            [1] + RequestEncoder.metrics(registry.snapshot(), from: resource, start: 1, time: 2),
            [8, 0x0A, 0x04, 0x08, 0x03, 0x12, 0x00], [9] + RPCStatus.encode(code: 14, "later", retryAfter: .seconds(3)),
            [7, 0, 0, 0, 0, 2, 1, 2],
        ]
        + [
            (3, json.spans), (4, json.metrics), (5, json.logs), (10, json.spans),
            (11, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), (11, "a=1,b@c=2;x;y=%20"),
        ].map { [UInt8($0.0)] + Array($0.1.utf8) }

    private static let resource = Resource([Attribute("service.name", .string("till"))])
    private static let spans = [
        SpanRecord(
            context: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: 3, state: "a=1"), parentID: 4,
            hasRemoteParent: true, name: "work", kind: .server, start: 5, end: 6, status: .error("why"),
            attributes: [
                Attribute("a", .int(-1)), Attribute("b", .array([.double(0.5), .map([Attribute("c", .bool(true))])])),
                Attribute("d", .bytes([1, 2])),
            ], events: [SpanRecord.Event(name: "e", time: 7, attributes: [Attribute("f", .string("g"))])],
            links: [SpanRecord.Link(context: TraceContext(traceID: TraceID(high: 0, low: 9), spanID: 8))])
    ]
    private static let logs = [
        LogRecord(
            time: 1, severity: .warn, body: "low", scope: "till",
            trace: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: 3), attributes: [Attribute("n", .int(1))])
    ]
    private static var registry: MetricRegistry {
        let registry = MetricRegistry(
            .init(descriptions: [
                MetricDescription("fine", .histogram, unit: "s", buckets: .exponential(bucketsMax: 20), "Waits.")
            ]))
        registry.makeCounter(label: "sold", dimensions: [("shop", "s1")]).increment(by: 7)
        registry.makeMeter(label: "level", dimensions: []).set(-0.5)
        for name in ["wait", "fine"] {
            let recorder = registry.makeRecorder(label: name, dimensions: [], aggregate: true)
            for value in [0.5, 2.0, -9.0] { recorder.record(value) }
        }
        return registry
    }

    private static let json = (
        spans: """
        {"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"b\\u00e9"}}]},"scopeSpans":[{
        "scope":{"name":"s"},"spans":[{"traceId":"000102030405060708090a0b0c0d0e0f","spanId":"0001020304050607",
        "name":"n","startTimeUnixNano":"1","attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},
        {"kvlistValue":{"values":[{"key":"x","value":{"bytesValue":"AQI="}}]}}]}}}],"events":[{"name":"e"}],
        "status":{"code":2}}]}]}]}
        """,
        metrics: """
        {"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"h","histogram":{"aggregationTemporality":2,
        "dataPoints":[{"count":"2","bucketCounts":["1","1"],"explicitBounds":[1],"exemplars":[{"asDouble":1}]}]}},
        {"name":"e","exponentialHistogram":{"dataPoints":[{"scale":1,"positive":{"offset":1,"bucketCounts":["1"]}}]}},
        {"name":"q","summary":{"dataPoints":[{"quantileValues":[{"quantile":0.5,"value":1}]}]}}]}]}]}
        """,
        logs: """
        {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":9,"body":{"stringValue":"b"},
        "traceId":"000102030405060708090a0b0c0d0e0f"}]}]}]}
        """
    )
}
