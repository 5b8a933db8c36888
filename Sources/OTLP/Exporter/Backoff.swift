// SPDX-License-Identifier: Apache-2.0

/// How long to wait before a collector is tried again: longer each time, and never all at the same moment.
struct Backoff {
    /// The first wait at most, the longest, and how much longer each is than the one before (OTLP specification, exponential
    /// back-off with jitter).
    var first = Duration.seconds(1)
    var longest = Duration.seconds(30)
    var factor = 1.5

    private(set) var failures = 0

    mutating func succeeded() { failures = 0 }

    /// - Parameters:
    ///   - advice: What the collector asks for; waited for at least.
    ///   - draw: From 0 to 1, at random.
    /// - Returns: How long to wait.
    mutating func failed(advice: Duration?, draw: Double) -> Duration {
        var most = first
        for _ in 0..<failures where most < longest { most = most * factor }
        failures += 1
        // Between half and all of it: a collector that comes back is not met by everybody at once.
        let wait = min(most, longest) * (0.5 + draw / 2)
        return max(wait, min(advice ?? .zero, .seconds(600)))
    }
}
