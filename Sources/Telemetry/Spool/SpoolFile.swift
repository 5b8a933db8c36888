// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel

/// Files of a spool: `NUMBER.spool`, each a run of entries, and `head`, which says where the oldest entry stands.
///
/// An entry is a header of 32 bytes, little-endian, and its payload: the letters `VSP1`, the payload's length (4 bytes), its
/// items (4), 1 where it is gzip (4), its time in nanoseconds since 1970 (8), the CRC-32 of the payload (4) and that of the
/// header so far (4). Written, not synced: what was written outlives the process, though not the machine.
struct SpoolFile {
    struct Header {
        var count: Int
        var items: Int
        var isCompressed: Bool
        var time: UInt64
        var checksum: UInt32
    }

    static let headerCount = 32
    private static let mark: [UInt8] = Array("VSP1".utf8)
    /// What no batch is longer than; a header that says so is damaged.
    private static let payloadMax = 256 << 20

    let folder: String

    /// The numbers of its files, oldest first.
    func numbers() throws -> [UInt64] {
        try FileManager.default.contentsOfDirectory(atPath: folder)
            .compactMap { $0.hasSuffix(".spool") ? UInt64($0.dropLast(6), radix: 16) : nil }.sorted()
    }

    /// Makes this the only process that uses the folder, for as long as it lives.
    ///
    /// - Returns: The descriptor of the lock; `nil` where another has it.
    func lock() throws -> Int32? {
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw Failure(.misconfigured, "The spool \(folder) cannot be made. Choose another folder.", cause: error)
        }
        let lock = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Self.failure("The spool \(folder) cannot be locked") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            return nil
        }
        return lock
    }

    // MARK: Entries

    /// Writes an entry at the end of a file.
    func append(_ header: Header, _ payload: [UInt8], to number: UInt64, at offset: Int) throws {
        var file = open(path(number), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if file < 0, errno == ENOENT {
            // Somebody has cleared the folder away.
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            file = open(path(number), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        }
        guard file >= 0 else { throw Self.failure("The spool \(folder) takes no more") }
        defer { close(file) }
        let bytes = Self.bytes(of: header) + payload
        let isWritten = bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = pwrite(
                    file, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset + done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
        guard isWritten else {
            let failure = Self.failure("The spool \(folder) takes no more")
            // What is there of it would be taken for damage.
            ftruncate(file, off_t(offset))
            throw failure
        }
    }

    /// - Returns: `nil` where it cannot be read or is not what was written.
    func payload(of header: Header, in number: UInt64, at offset: Int) -> [UInt8]? {
        guard let bytes = read(number, from: offset + Self.headerCount, count: header.count),
            Checksum.crc32(bytes) == header.checksum
        else { return nil }
        return bytes
    }

    /// The entries of a file from a place on. A damaged header costs its own entry: the next sound one is looked for.
    func headers(in number: UInt64, from start: Int) -> [(offset: Int, header: Header)] {
        guard let bytes = read(number, from: 0, count: size(of: number)) else { return [] }
        var found: [(Int, Header)] = []
        var offset = start
        while offset + Self.headerCount <= bytes.count {
            if let header = Self.header(of: Array(bytes[offset..<(offset + Self.headerCount)])),
                offset + Self.headerCount + header.count <= bytes.count
            {
                found.append((offset, header))
                offset += Self.headerCount + header.count
            } else {
                offset += 1
                while offset < bytes.count, bytes[offset] != Self.mark[0] { offset += 1 }
            }
        }
        return found
    }

    func remove(_ number: UInt64) { unlink(path(number)) }

    var exists: Bool { FileManager.default.fileExists(atPath: folder) }

    /// Leaves nothing but the lock, which others may be waiting for.
    func clear() {
        for number in (try? numbers()) ?? [] { remove(number) }
        unlink(folder + "/head")
    }

    // MARK: The head

    /// Where the oldest entry stands; what came before has been delivered.
    func head() -> (number: UInt64, offset: Int)? {
        guard let text = try? String(contentsOfFile: folder + "/head", encoding: .utf8) else { return nil }
        let parts = text.split(separator: " ")
        guard parts.count == 3, parts[2] == "end\n", let number = UInt64(parts[0], radix: 16),
            let offset = Int(parts[1], radix: 16)
        else { return nil }
        return (number, offset)
    }

    /// One write of a fixed length. Where it is lost, what was delivered last is delivered again.
    func setHead(_ number: UInt64, _ offset: Int) {
        let file = open(folder + "/head", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        defer { close(file) }
        let text = Self.digits(number) + " " + Self.digits(UInt64(offset)) + " end\n"
        _ = Array(text.utf8).withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
    }

    // MARK: Bytes

    private static func bytes(of header: Header) -> [UInt8] {
        var bytes = mark
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        append(UInt32(header.count))
        append(UInt32(header.items))
        append(UInt32(header.isCompressed ? 1 : 0))
        append(header.time)
        append(header.checksum)
        append(Checksum.crc32(bytes))
        return bytes
    }

    private static func header(of bytes: [UInt8]) -> Header? {
        func word(_ offset: Int) -> UInt32 {
            bytes[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        guard bytes.starts(with: mark), word(28) == Checksum.crc32(bytes[..<28]), word(4) <= payloadMax else {
            return nil
        }
        return Header(
            count: Int(word(4)), items: Int(word(8)), isCompressed: word(12) & 1 != 0,
            time: UInt64(word(20)) << 32 | UInt64(word(16)), checksum: word(24))
    }

    private func read(_ number: UInt64, from offset: Int, count: Int) -> [UInt8]? {
        let file = open(path(number), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let found = pread(
                    file, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
                if found < 0, errno == EINTR { continue }
                guard found > 0 else { break }
                filled += found
            }
            isWhole = filled == count
        }
        return isWhole ? bytes : nil
    }

    private func size(of number: UInt64) -> Int {
        var facts = stat()
        return stat(path(number), &facts) == 0 ? Int(facts.st_size) : 0
    }

    private func path(_ number: UInt64) -> String { "\(folder)/\(Self.digits(number)).spool" }

    private static func digits(_ number: UInt64) -> String { Hex.text(number) }

    private static func failure(_ what: String) -> Failure {
        Failure(.misconfigured, "\(what): \(String(cString: strerror(errno))).")
    }
}
