// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel

/// A folder of the machine.
package struct FileDisk: Disk {
    private let folder: String
    private let lock: FolderLock?

    /// Makes the folder where there is none.
    ///
    /// - Throws: `Failure` with `misconfigured`.
    package init(_ folder: String) throws { try self.init(folder, isLocked: false) }

    /// The same, for this process alone.
    ///
    /// - Throws: `Failure` with `misconfigured`, also where another process has it.
    package init(locking folder: String) throws { try self.init(folder, isLocked: true) }

    private init(_ folder: String, isLocked: Bool) throws {
        self.folder = folder
        do { try Self.make(URL(filePath: folder)) } catch {
            throw Failure(
                .misconfigured, "The folder \(folder) for telemetry cannot be made. Choose another one.", cause: error)
        }
        lock = isLocked ? try FolderLock(folder) : nil
    }

    /// Makes a folder and those that it is in, each durable in the one above.
    private static func make(_ folder: URL) throws {
        let above = folder.deletingLastPathComponent()
        guard !FileManager.default.fileExists(atPath: folder.path) else {
            // An attempt before may have come no further; where others made it, it is for them to have done this.
            try? sync(above.path)
            return
        }
        try make(above)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try sync(above.path)
    }

    private static func sync(_ folder: String) throws {
        let descriptor = Foundation.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot be opened", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("cannot be synced", folder) }
    }

    package func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder) }

    package func open(_ name: String) throws -> any DiskReader {
        let descriptor = Foundation.open(path(name), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("cannot be opened", path(name)) }
        return try PosixReader(descriptor, path(name))
    }

    package func create(_ name: String) throws -> any DiskFile {
        let descriptor = Foundation.open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("cannot be made", path(name)) }
        return PosixFile(descriptor, path(name))
    }

    package func rename(_ name: String, to other: String) throws {
        guard Foundation.rename(path(name), path(other)) == 0 else {
            throw Self.failure("cannot be renamed", path(name))
        }
    }

    package func remove(_ name: String) throws {
        guard unlink(path(name)) == 0 || errno == ENOENT else { throw Self.failure("cannot be removed", path(name)) }
    }

    package func syncNames() throws { try Self.sync(folder) }

    private func path(_ name: String) -> String { folder + "/" + name }

    private static func failure(_ words: String, _ path: String) -> Failure {
        Failure(.unavailable, "\(path) \(words): \(String(cString: strerror(errno)))")
    }
}

private final class PosixReader: DiskReader {
    private let descriptor: Int32
    private let path: String
    let size: Int

    init(_ descriptor: Int32, _ path: String) throws {
        self.descriptor = descriptor
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure(.unavailable, "\(path) cannot be looked at") }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    func read(at offset: Int, count: Int) throws -> [UInt8] {
        guard offset >= 0, count >= 0, offset + count <= size else { throw Failure(.corrupt, "\(path) ends too early") }
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            done = 0
            while done < count {
                let part = pread(descriptor, buffer.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
                if part < 0, errno == EINTR { continue }
                failed = part <= 0
                guard part > 0 else { return }
                done += part
            }
        }
        if failed { throw Failure(.unavailable, "\(path) cannot be read: \(String(cString: strerror(errno)))") }
        return bytes
    }
}

private final class PosixFile: DiskFile {
    private let descriptor: Int32
    private let path: String

    init(_ descriptor: Int32, _ path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func append(_ bytes: [UInt8]) throws {
        let isWritten = bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
        guard isWritten else { throw failure("takes no more") }
    }

    func sync() throws { guard fdatasync(descriptor) == 0 else { throw failure("cannot be synced") } }

    private func failure(_ words: String) -> Failure {
        Failure(.unavailable, "\(path) \(words): \(String(cString: strerror(errno)))")
    }
}

/// Held for as long as it lives.
private final class FolderLock: Sendable {
    private let descriptor: Int32

    init(_ folder: String) throws {
        descriptor = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw Failure(
                .misconfigured, "The folder \(folder) for telemetry is used by another process. Choose another one.")
        }
    }

    deinit { close(descriptor) }
}
