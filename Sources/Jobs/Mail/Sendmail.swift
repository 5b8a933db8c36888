// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel

/// The program that every mail server brings along to be handed letters: `sendmail`, of Postfix, Exim, OpenSMTPD or msmtp.
package struct Sendmail: Sendable {
    private let path: String
    private let sender: String
    private let name: String

    /// How long it may take to put a letter into its queue.
    private static let timeMax = Duration.seconds(30)
    /// What it says of an address that cannot be (sysexits.h: EX_DATAERR, EX_NOUSER, EX_NOHOST).
    private static let undeliverable: Set<Int32> = [65, 67, 68]

    /// Letters come from `sender`, an address, under `name`.
    package init(path: String, sender: String, name: String) {
        (self.path, self.sender, self.name) = (path, sender, name)
    }

    /// - Throws: ``Undeliverable``; `Failure` with `unavailable`.
    package func send(_ mail: Mail) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        // A line with a dot alone ends nothing (-i); whoever is written to is no option (--).
        process.arguments = ["-i", "-f", sender, "--", mail.recipient]
        // A file without a name and not a pipe, which a program that ends early would break.
        guard let file = tmpfile() else { throw Failure(.unavailable, "No file can be made for a letter.") }
        defer { fclose(file) }
        let message = mail.message(from: sender, named: name)
        guard fwrite(message, 1, message.count, file) == message.count, fflush(file) == 0 else {
            throw Failure(.unavailable, "A letter cannot be written down.")
        }
        rewind(file)
        process.standardInput = FileHandle(fileDescriptor: fileno(file), closeOnDealloc: false)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let status = try await Self.status(of: process)
        if Self.undeliverable.contains(status) { throw Undeliverable() }
        guard status == 0 else { throw Failure(.unavailable, "\(path) ended with \(status).") }
    }

    /// With what it ended; it is ended itself where it takes too long, and where nobody waits for it any more.
    private static func status(of process: Process) async throws -> Int32 {
        let stop = { @Sendable in
            guard process.isRunning else { return }
            process.terminate()
            DispatchQueue.global().asyncAfter(deadline: .now() + 2) {
                if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            }
        }
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask {
                try await withCheckedThrowingContinuation { ended in
                    process.terminationHandler = { ended.resume(returning: $0.terminationStatus) }
                    do { try process.run() } catch { ended.resume(throwing: error) }
                }
            }
            group.addTask {
                // Ends early where the work is cancelled, and once the program has ended by itself.
                try? await Task.sleep(for: timeMax)
                stop()
                return nil
            }
            while let status = try await group.next() {
                guard let status else { continue }
                group.cancelAll()
                return status
            }
            throw CancellationError()
        }
    }
}
