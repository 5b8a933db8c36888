// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// What the files of a store hold, read without opening it, so that it may be in use meanwhile.
package struct StoreInspection: Sendable {
    package struct PartReport: Sendable {
        package let name: String
        package let bytes: Int
        package var series = 0
        package var samples = 0
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
            if name.hasSuffix(".part") {
                parts.append(try Self.part(name, of: disk))
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
    private static func part(_ name: String, of disk: any Disk) throws -> PartReport {
        var report = PartReport(name: name, bytes: try disk.open(name).size)
        do {
            let part = try Part(name, of: disk)
            let reader = PartReader(part, try PartIndex(part))
            report.times = part.footer.times
            for series in reader.index.series {
                var samples = SampleColumns()
                try reader.read(series, Int64.min...Int64.max, into: &samples)
                report.series += 1
                report.samples += samples.count
            }
            if report.samples != part.footer.sampleCount {
                report.fault = "it has \(report.samples) samples where its footer says \(part.footer.sampleCount)"
            }
        } catch let failure as Failure where failure.code == .corrupt {
            report.fault = failure.message
        }
        return report
    }
}
