// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Synchronization

/// Writes lines to a file descriptor from a thread of its own, so that nobody who logs waits for a slow pipe.
final class LogWriter: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var lines = 0
        /// Lines that were taken out and are being written.
        var linesAtWork = 0
    }

    /// Microseconds from one write to the next, at least. A line after a silence is written at once.
    private static let pause: UInt32 = 2_000

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

    /// Lines that are not written.
    var waiting: Int { state.withLock { $0.lines + $0.linesAtWork } }

    var bytesWaiting: Int { state.withLock { $0.bytes.count } }

    /// Takes a line without its end.
    func write(_ line: [UInt8]) {
        let isFirst = state.withLock { state -> Bool? in
            guard state.bytes.count + line.count < bytesMax else { return nil }
            state.bytes += line
            state.bytes.append(UInt8(ascii: "\n"))
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

    /// Returns once what waited is written, or after two seconds.
    func flush() {
        let end = ContinuousClock.now + .seconds(2)
        while waiting > 0, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.002) }
    }

    private func run() {
        // A reader that has gone is told by the write's error; the signal would end the process.
        var pipe = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, nil)
        while true {
            wake.lock()
            while waiting == 0 { wake.wait() }
            wake.unlock()
            let bytes = state.withLock { state in
                defer { state = State(linesAtWork: state.lines) }
                return state.bytes
            }
            put(bytes)
            state.withLock { state in
                written.increment(by: Int64(state.linesAtWork))
                state.linesAtWork = 0
            }
            // What comes meanwhile goes together, and who logs need not wake this thread for each line.
            usleep(Self.pause)
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
