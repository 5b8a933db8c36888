// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// Spans or log records as a record of the log: its kind, and a block.
enum WideRecord {
    static func kind(of signal: Signal) -> UInt8 {
        switch signal {
        case .metrics: SampleRecord.kind
        case .traces: 2
        case .logs: 3
        }
    }

    /// - Throws: `Failure` with `corrupt`.
    static func signal(of record: [UInt8]) throws -> Signal {
        guard let signal = Signal.allCases.first(where: { kind(of: $0) == record.first }) else {
            throw Failure(.corrupt, "a record of the log is of no known kind")
        }
        return signal
    }

    /// A record of rows of a batch; `nil` where there are none.
    static func make<Batch: WideRecords>(
        _ batch: Batch, _ places: [RecordPlace]
    ) throws -> (record: [UInt8], block: RecordHead.Block)? {
        guard !places.isEmpty else { return nil }
        let (block, summary) = Batch.block(Batch.order(places, of: [batch]), of: [batch], isIndexed: false)
        let record = [kind(of: Batch.signal)] + block.packed(with: Zstandard.Compressor(level: Zstandard.fleeting))
        return (
            record,
            RecordHead.Block(
                block: try PackedBlock(record, from: 1), times: summary.times, traces: summary.traces)
        )
    }

    /// Reads a record again.
    ///
    /// - Throws: `Failure` with `corrupt`.
    static func read<Batch: WideRecords>(_ record: [UInt8], _: Batch.Type) throws -> RecordHead.Block {
        let block = try PackedBlock(record, from: 1)
        let batch = try Batch.read(block)
        var summary = RecordSummary()
        for row in 0..<batch.count { summary.note(batch.start(of: row), batch.end(of: row)) }
        return RecordHead.Block(
            block: block, times: summary.times,
            traces: Set((0..<batch.count).compactMap { batch.trace(of: $0) }).sorted())
    }
}
