// SPDX-License-Identifier: Apache-2.0

import Kernel
import Synchronization

/// Random numbers that come again with their seed, so that a failure can be had again (splitmix64; S. Vigna, 2015).
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Nanoseconds that stand still until a test moves them.
package final class HandClock: Sendable {
    private let time: Atomic<Int64>

    package init(_ start: Int64 = 1_000_000_000) { time = Atomic(start) }

    package var now: Int64 {
        get { time.load(ordering: .relaxed) }
        set { time.store(newValue, ordering: .relaxed) }
    }

    package var source: @Sendable () -> Int64 { { self.now } }

    package func advance(by duration: Duration) { now += duration.wholeNanoseconds }
}
