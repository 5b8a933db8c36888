// SPDX-License-Identifier: Apache-2.0

import Kernel
import OTLP
import Telemetry

/// Everything that takes bytes from strangers, for libFuzzer: `Scripts/fuzz.sh` builds and runs it.
///
/// The first byte chooses the decoder. A crash, a hang or memory beyond libFuzzer's limit is a finding; so is a batch whose
/// rows lead outside of it, which is why every row is read.
@_cdecl("LLVMFuzzerTestOneInput")
public func decodeOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: start, count: count)
    guard let choice = input.first else { return 0 }
    Decoders.decode(Array(input.dropFirst()), choice)
    return 0
}

enum Decoders {
    static func decode(_ bytes: [UInt8], _ choice: UInt8) {
        switch choice % 12 {
        case 0...5:
            let signal = Signal.allCases[Int(choice % 3)]
            read(try? SignalDecoder.decode(bytes, signal, choice % 12 < 3 ? .protobuf : .json).batch)
        case 6: _ = try? Gzip.decompress(bytes, bytesMax: 1 << 20)
        case 7: _ = GRPC.message(in: bytes)
        case 8: _ = ExportResponse.read(bytes)
        case 9: _ = RPCStatus.read(bytes)
        case 10: _ = try? JSON.parse(bytes)
        default:
            let text = String(decoding: bytes, as: UTF8.self)
            _ = TraceContext(traceparent: text, tracestate: text)
            _ = Baggage(header: text).header
        }
    }

    private static let console = ConsoleSink(.json, descriptor: -1, bytesMax: 1 << 20)

    private static func read(_ batch: SignalBatch?) {
        if let batch { _ = console.show(batch) }
        switch batch {
        case .spans(let batch): for place in 0..<batch.count { _ = (batch.record(place), batch.resource(of: place)) }
        case .logs(let batch): for place in 0..<batch.count { _ = (batch.record(place), batch.resource(of: place)) }
        case .metrics(let batch): read(batch)
        case nil: break
        }
    }

    private static func read(_ batch: MetricBatch) {
        for metric in batch.metrics {
            _ = batch.origins.resource(ofScope: metric.scope, in: batch.bytes)
            for point in batch.points[metric.points] {
                _ = batch.attributes.list(point.attributes, in: batch.bytes)
                for exemplar in batch.exemplars[point.exemplars] {
                    _ = batch.exemplarAttributes.list(exemplar.attributes, in: batch.bytes)
                }
                guard case .histogram(let place) = point.value else { continue }
                let histogram = batch.histograms[place]
                _ = batch.numbers[histogram.bounds].count + batch.numbers[histogram.values].count
                _ = batch.counts[histogram.counts].count + batch.counts[histogram.negativeCounts].count
            }
        }
    }
}

#if FUZZING
    /// libFuzzer's main function by another name; SwiftPM has a program's main under the name of its module.
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<CInt>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
        _ decode: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt

    @_cdecl("DecoderFuzz_main")
    public func runFuzzer(
        _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> CInt {
        var (count, arguments) = (count, arguments)
        return runDriver(&count, &arguments, decodeOneInput)
    }
#endif
