// SPDX-License-Identifier: Apache-2.0

public import Logging
internal import Synchronization

/// How much each logger says, changeable while the process runs.
///
/// A level set for `vitrine.jobs` holds for `vitrine.jobs.relay`, too, unless that has one of its own.
public final class LogLevels: Sendable {
    /// The level of one label, which its loggers share. Reading it is one atomic load.
    final class Cell: Sendable {
        private let code: Atomic<UInt8>

        init(_ level: Logger.Level) { code = Atomic(Self.code(of: level)) }

        var level: Logger.Level {
            get { Logger.Level.allCases[Int(code.load(ordering: .relaxed))] }
            set { code.store(Self.code(of: newValue), ordering: .relaxed) }
        }

        private static func code(of level: Logger.Level) -> UInt8 {
            UInt8(Logger.Level.allCases.firstIndex(of: level) ?? 0)
        }
    }

    private struct State {
        var standard: Logger.Level
        var levels: [String: Logger.Level] = [:]
        var cells: [String: Cell] = [:]

        func level(of label: String) -> Logger.Level {
            var prefix = Substring(label)
            while true {
                if let level = levels[String(prefix)] { return level }
                guard let dot = prefix.lastIndex(of: ".") else { return standard }
                prefix = prefix[..<dot]
            }
        }
    }

    private let state: Mutex<State>

    public init(_ standard: Logger.Level = .info) { state = Mutex(State(standard: standard)) }

    /// What loggers say that no level was set for.
    public var standard: Logger.Level {
        get { state.withLock { $0.standard } }
        set { change { $0.standard = newValue } }
    }

    /// The levels that were set, by label.
    public var all: [String: Logger.Level] { state.withLock { $0.levels } }

    /// Sets the level of a label and all below it; `nil` takes it back.
    public func set(_ label: String, to level: Logger.Level?) { change { $0.levels[label] = level } }

    func cell(of label: String) -> Cell {
        state.withLock { state in
            if let cell = state.cells[label] { return cell }
            let cell = Cell(state.level(of: label))
            state.cells[label] = cell
            return cell
        }
    }

    private func change(_ edit: (inout State) -> Void) {
        state.withLock { state in
            edit(&state)
            for (label, cell) in state.cells { cell.level = state.level(of: label) }
        }
    }
}
