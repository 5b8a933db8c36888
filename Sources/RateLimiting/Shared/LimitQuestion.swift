// SPDX-License-Identifier: Apache-2.0

internal import Redis

/// One question for the script, packed as it reads it.
struct LimitQuestion {
    enum Mode: UInt8 {
        case decide = 0
        case look = 1
        /// Counts what is asked, whether it fits or not.
        case count = 2
    }

    /// What is asked of one policy.
    struct Line {
        let policy: SharedPolicy
        let check: Check
        var cost: Int
        /// Units to lease beyond the cost.
        var want = 0
        /// Units to give back, and the slot that they were counted in.
        var back = 0
        var backSlot: Int64 = 0
    }

    let mode: Mode
    var lines: [Line] = []

    /// Packs it.
    ///
    /// - Parameters:
    ///   - prefix: what keys begin with.
    ///   - now: microseconds of a clock that all processes share; 0 for that of Redis.
    ///   - divisor: a lease is at most one part in so many of what is left.
    ///   - timeToLive: milliseconds.
    ///   - horizon: microseconds that a lease is to last.
    /// - Returns: the number of keys, the keys, and the arguments.
    func command(prefix: String, now: Int64, divisor: Int, timeToLive: Int64, horizon: Int64) -> RedisCommand {
        var keys: [String] = []
        var packed: [UInt8] = []
        packed.reserveCapacity(22 + lines.count * 40)
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { packed.append(contentsOf: $0) }
        }
        put(now)
        put(mode.rawValue)
        put(UInt8(clamping: divisor))
        put(timeToLive)
        put(UInt32(clamping: horizon))
        for line in lines {
            let text = line.check.key.text
            let place = keys.firstIndex(of: text) ?? keys.count
            if place == keys.count { keys.append(text) }
            let rule = line.policy.rule(for: line.check)
            put(UInt8(place + 1))
            put(UInt8(rule.isWindow ? 4 : 0) | (line.policy.isShadow ? 128 : 0))
            put(UInt16(rule.ringCount))
            put(rule.most)
            put(rule.pace)
            put(UInt32(line.cost))
            put(UInt32(line.want))
            put(UInt32(line.back))
            put(line.backSlot)
        }
        var command = RedisCommand()
        command.append(String(keys.count))
        for key in keys { command.append("\(prefix):{\(key)}") }
        command.append(packed)
        for line in lines { command.append(line.policy.field) }
        return command
    }
}

/// What the script answers.
struct LimitAnswer {
    struct Line {
        let fits: Bool
        let granted: Int
        let state: ArraySlice<UInt8>
    }

    let isAllowed: Bool
    /// Microseconds of the clock that was counted by.
    let now: Int64
    private let states: ArraySlice<RedisValue>

    /// - Returns: `nil` where it is not an answer to so many lines.
    init?(_ value: RedisValue, lines: Int) {
        guard case .array(let parts) = value, parts.count == 2 * lines + 2,
            case .integer(let allowed) = parts[0], case .integer(let now) = parts[1]
        else { return nil }
        isAllowed = allowed == 1
        self.now = Int64(now)
        states = parts.dropFirst(2)
    }

    subscript(place: Int) -> Line {
        let start = states.startIndex + 2 * place
        guard case .integer(let told) = states[start], case .bytes(let state) = states[start + 1] else {
            return Line(fits: true, granted: 0, state: [])
        }
        return Line(fits: told & 1 == 1, granted: Int(told >> 1), state: state[...])
    }
}
