// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Telemetry

/// The file of a part while it is written.
struct PartFile {
    let sequence: UInt64
    private let signal: Signal
    private let disk: any Disk
    private let compressor: Zstandard.Compressor
    private let file: any DiskFile
    private(set) var offset = Part.beginning.count

    private var temporaryName: String { "\(signal.rawValue)-\(sequence).tmp" }

    init(_ signal: Signal, _ sequence: UInt64, on disk: any Disk, level: Int32) throws {
        (self.signal, self.sequence, self.disk) = (signal, sequence, disk)
        compressor = Zstandard.Compressor(level: level)
        file = try disk.create("\(signal.rawValue)-\(sequence).tmp")
        try file.append(Part.beginning)
    }

    /// Compresses a block and appends it.
    mutating func append(_ bytes: [UInt8]) throws -> Part.Block {
        let compressed = compressor.compressed(bytes)
        try file.append(compressed)
        defer { offset += compressed.count }
        return Part.Block(
            offset: offset, count: compressed.count, expandedCount: bytes.count, checksum: Checksum.crc32(compressed))
    }

    /// Gives up; what was written of it goes, also where it had its name already: nobody else writes a part of this number.
    func abandon() {
        try? disk.remove(temporaryName)
        try? disk.remove(Part.name(signal, sequence))
    }

    /// Makes the part durable, and only then visible under its name.
    func finish(_ footer: Part.Footer) throws -> Part {
        try file.append(Part.bytes(of: footer))
        try file.sync()
        let name = Part.name(signal, sequence)
        try disk.rename(temporaryName, to: name)
        try disk.syncNames()
        return try Part(name, of: disk)
    }
}
