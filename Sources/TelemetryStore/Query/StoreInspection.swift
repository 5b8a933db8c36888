// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Telemetry

/// What the files of a store hold, read without opening it, so that it may be in use meanwhile.
package struct StoreInspection: Sendable {
    package struct PartReport: Sendable {
        package let name: String
        package let bytes: Int
        package let signal: Signal
        /// Series, or what records are about.
        package var subjects = 0
        /// Samples, spans or log records.
        package var rows = 0
        /// Milliseconds since 1970.
        package var times: ClosedRange<Int64>?
        /// What is wrong with it; `nil` where all was as it had been written.
        package var fault: String?
    }

    package struct SegmentReport: Sendable {
        package let name: String
        package let bytes: Int
        package var records = 0
        /// At its end, of a record that was being written.
        package var tornBytes = 0
    }

    package private(set) var parts: [PartReport] = []
    package private(set) var segments: [SegmentReport] = []

    package var faults: [String] { parts.compactMap { part in part.fault.map { "\(part.name): \($0)" } } }

    /// - Throws: `Failure` where the folder cannot be read.
    package init(of disk: any Disk) throws {
        for name in try disk.names().sorted() {
            if let signal = Part.signal(of: name) {
                parts.append(try Self.part(name, signal, of: disk))
            } else if let segment = RecordLog.segment(of: name) {
                segments.append(try Self.segment(segment, name, of: disk))
            }
        }
    }

    private static func segment(_ segment: UInt64, _ name: String, of disk: any Disk) throws -> SegmentReport {
        var report = SegmentReport(name: name, bytes: try disk.open(name).size)
        report.tornBytes = try RecordLog.replay(segment, of: disk) { _ in report.records += 1 }
        return report
    }

    /// Reads each of its sections and unpacks each of its chunks.
    private static func part(_ name: String, _ signal: Signal, of disk: any Disk) throws -> PartReport {
        var report = PartReport(name: name, bytes: try disk.open(name).size, signal: signal)
        do {
            let part = try Part(name, of: disk)
            (report.times, report.subjects) = (part.footer.times, part.footer.subjects)
            report.rows =
                switch signal {
                case .metrics: try samples(part)
                case .traces: try rows(part, SpanBatch.self)
                case .logs: try rows(part, LogBatch.self)
                }
            if report.rows != part.footer.rows {
                report.fault = "it has \(report.rows) rows where its footer says \(part.footer.rows)"
            }
        } catch let failure as Failure where failure.code == .corrupt {
            report.fault = failure.message
        }
        return report
    }

    private static func samples(_ part: Part) throws -> Int {
        let reader = PartReader(part, try PartIndex(part))
        return try reader.index.series.reduce(0) { count, series in
            var samples = SampleColumns()
            try reader.read(series, Int64.min...Int64.max, into: &samples)
            return count + samples.count
        }
    }

    private static func rows<Batch: WideRecords>(_ part: Part, _: Batch.Type) throws -> Int {
        let part = try RecordPart(part)
        _ = try part.traces()
        return try part.groups.indices.reduce(0) { count, group in
            _ = try part.filter(of: group)
            return count + (try Batch.read(part.sections(of: group)).count)
        }
    }
}
