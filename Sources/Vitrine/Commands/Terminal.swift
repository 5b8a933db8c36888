// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Logging

/// What a command says to the person who started it.
enum Terminal {
    static func say(_ text: String = "") { write(text + "\n") }

    /// Whoever has closed the other end does not want to read it; what the program does goes on.
    static func write(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }

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
