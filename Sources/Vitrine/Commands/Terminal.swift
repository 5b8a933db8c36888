// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Glibc
internal import Kernel
internal import Logging

/// What a command says to the person who started it.
enum Terminal {
    static func say(_ text: String = "") { write(text + "\n") }

    /// Whoever has closed the other end does not want to read it; what the program does goes on. Where it cannot be written for
    /// another reason, such as a full disk, the program ends: nobody is to take a part for the whole.
    static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE {
                return
            } else if errno == EAGAIN {
                usleep(1_000)
            } else if errno != EINTR {
                FileHandle.standardError.write(Data("Standard output: \(String(cString: strerror(errno))).\n".utf8))
                exit(EXIT_FAILURE)
            }
        }
    }

    /// Writes over the line before; on anything but a terminal each goes on a line of its own.
    static func progress(_ text: String) {
        if isatty(STDOUT_FILENO) == 1 {
            write("\r\u{1B}[2K\(text)")
        } else {
            say(text)
        }
    }

    static func endProgress() { if isatty(STDOUT_FILENO) == 1 { say() } }

    /// A bar of 24 places: `[########----------------]`.
    static func bar(_ share: Double) -> String {
        let filled = Int((min(max(share, 0), 1) * 24).rounded(.down))
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: 24 - filled) + "]"
    }

    static func bootstrapLogging(_ level: Logger.Level) {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }

    static func grouped(_ number: Int) -> String {
        var text = String(number)
        var place = text.count - 3
        while place > 0 {
            text.insert(",", at: text.index(text.startIndex, offsetBy: place))
            place -= 3
        }
        return text
    }
}
