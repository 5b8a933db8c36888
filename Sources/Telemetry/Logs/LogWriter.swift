// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// Writes lines to a file descriptor from a thread of its own, so that nobody who logs waits for a slow pipe.
final class LogWriter: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var lines = 0
        var isClosed = false
    }

    private let descriptor: Int32
    private let bytesMax: Int
    private let state = Mutex(State())
    private let wake = NSCondition()
    let written = CounterSeries()
    let dropped = CounterSeries()

    /// `bytesMax` lines wait at most; what comes beyond is dropped and counted.
    init(descriptor: Int32, bytesMax: Int) {
        self.descriptor = descriptor
        self.bytesMax = bytesMax
        let thread = Thread { self.run() }
        thread.name = "log-writer"
        thread.start()
    }

    /// Lines that wait to be written.
    var waiting: Int { state.withLock { $0.lines } }

    /// Takes a line with its end.
    func write(_ line: [UInt8]) {
        let isFirst = state.withLock { state -> Bool? in
            guard !state.isClosed, state.bytes.count + line.count <= bytesMax else { return nil }
            state.bytes += line
            state.lines += 1
            return state.lines == 1
        }
        guard let isFirst else { return dropped.increment(by: 1) }
        if isFirst {
            wake.lock()
            wake.signal()
            wake.unlock()
        }
    }

    /// Writes what waits and ends the thread.
    func close() {
        state.withLock { $0.isClosed = true }
        wake.lock()
        wake.signal()
        wake.unlock()
        flush()
    }

    /// Returns once what waited is written, or after two seconds.
    func flush() {
        let end = ContinuousClock.now + .seconds(2)
        while isBusy, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.002) }
    }

    private let writing = Atomic(false)
    private var isBusy: Bool { waiting > 0 || writing.load(ordering: .acquiring) }

    private func run() {
        // A reader that has gone is told by the write's error; the signal would end the process.
        var pipe = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, nil)
        while true {
            wake.lock()
            while waiting == 0, !state.withLock({ $0.isClosed }) { wake.wait() }
            wake.unlock()
            writing.store(true, ordering: .releasing)
            let (bytes, lines, isClosed) = state.withLock { state in
                defer { (state.bytes, state.lines) = ([], 0) }
                return (state.bytes, state.lines, state.isClosed)
            }
            put(bytes)
            written.increment(by: Int64(lines))
            writing.store(false, ordering: .releasing)
            if bytes.isEmpty, isClosed { return }
        }
    }

    /// What cannot be written is gone.
    private func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR || errno == EAGAIN {
                    usleep(1_000)
                    continue
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}
