// SPDX-License-Identifier: Apache-2.0

import Kernel
import Synchronization
import TelemetryStore
import TestSupport

/// A disk in memory that fails when it is told to, and after a power cut has only what was synced, and perhaps some more.
final class ForgetfulDisk: Disk {
    /// When operations fail, counted from 1.
    enum Fault: Sendable {
        case never
        /// This one and all after it: the power is gone.
        case from(Int)
        /// This one alone.
        case only(Int)

        func hits(_ operation: Int) -> Bool {
            switch self {
            case .never: false
            case .from(let first): operation >= first
            case .only(let one): operation == one
            }
        }
    }

    final class File: DiskFile, DiskReader {
        private struct Bytes {
            var written: [UInt8] = []
            var synced: [UInt8] = []
        }

        private let bytes: Mutex<Bytes>
        private let disk: ForgetfulDisk

        init(_ content: [UInt8], _ disk: ForgetfulDisk) {
            bytes = Mutex(Bytes(written: content, synced: content))
            self.disk = disk
        }

        var size: Int { bytes.withLock { $0.written.count } }

        func read(at offset: Int, count: Int) throws -> [UInt8] {
            try bytes.withLock { bytes in
                guard offset >= 0, count >= 0, offset + count <= bytes.written.count else {
                    throw Failure(.corrupt, "a file ends too early")
                }
                return Array(bytes.written[offset..<offset + count])
            }
        }

        func append(_ more: [UInt8]) throws {
            // What fails may have been written in part.
            let isWhole = disk.tick()
            bytes.withLock { $0.written += isWhole ? more : Array(more.prefix(more.count / 2)) }
            if !isWhole { throw Failure(.unavailable, "no space left on device") }
        }

        func sync() throws {
            guard disk.tick() else { throw Failure(.unavailable, "input/output error") }
            bytes.withLock { $0.synced = $0.written }
        }

        func damage(at offset: Int) {
            bytes.withLock { bytes in
                bytes.written[offset] ^= 0x40
                bytes.synced = bytes.written
            }
        }

        /// What a machine finds after a power cut: what was synced, and of the rest a torn beginning.
        func remains(_ random: inout SeededGenerator) -> [UInt8] {
            bytes.withLock { bytes in
                guard bytes.written.count > bytes.synced.count else { return bytes.written }
                var tail = Array(
                    bytes.written[bytes.synced.count...].prefix(Int.random(in: 0...bytes.written.count, using: &random))
                )
                if let last = tail.indices.last, Bool.random(using: &random) { tail[last] ^= 0xFF }
                return bytes.synced + tail
            }
        }
    }

    private struct State {
        var names: [String: File] = [:]
        var durableNames: [String: File] = [:]
        /// Changes of names since they were synced; a rename is two that happen together.
        var changes: [[String: File?]] = []
        var operations = 0
        var fault = Fault.never
    }

    private let state = Mutex(State())

    init(_ fault: Fault = .never) { state.withLock { $0.fault = fault } }

    var operations: Int { state.withLock { $0.operations } }

    /// Counts an operation that changes something.
    ///
    /// - Returns: Whether it succeeds.
    fileprivate func tick() -> Bool {
        state.withLock { state in
            state.operations += 1
            return !state.fault.hits(state.operations)
        }
    }

    private func change(_ body: (inout State) -> [String: File?]) throws {
        guard tick() else { throw Failure(.unavailable, "input/output error") }
        state.withLock { state in
            let change = body(&state)
            for (name, file) in change { state.names[name] = file }
            state.changes.append(change)
        }
    }

    func names() throws -> [String] { state.withLock { Array($0.names.keys) } }

    func open(_ name: String) throws -> any DiskReader {
        guard let file = state.withLock({ $0.names[name] }) else { throw Failure(.unavailable, "\(name) is not there") }
        return file
    }

    func create(_ name: String) throws -> any DiskFile {
        let file = File([], self)
        try change { _ in [name: file] }
        return file
    }

    func rename(_ name: String, to other: String) throws {
        try change { [other: $0.names[name], name: nil] }
    }

    func remove(_ name: String) throws { try change { _ in [name: nil] } }

    func syncNames() throws {
        guard tick() else { throw Failure(.unavailable, "input/output error") }
        state.withLock { state in
            state.durableNames = state.names
            state.changes = []
        }
    }

    func damage(_ name: String, at offset: Int) { state.withLock { $0.names[name] }?.damage(at: offset) }

    /// The disk as it is found after the power was cut now. Of the changes of names that were not synced any may be there.
    func afterPowerCut(_ random: inout SeededGenerator) -> ForgetfulDisk {
        var (names, changes): ([String: File], [[String: File?]]) = state.withLock { ($0.durableNames, $0.changes) }
        for change in changes where Bool.random(using: &random) {
            for (name, file) in change { names[name] = file }
        }
        let found = ForgetfulDisk()
        for (name, file) in names.sorted(by: { $0.key < $1.key }) {
            let copy = File(file.remains(&random), found)
            found.state.withLock { state in
                state.names[name] = copy
                state.durableNames[name] = copy
            }
        }
        return found
    }
}
