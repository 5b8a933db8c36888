// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Synchronization

/// The time of a sandbox: that of the world, and as much more as it was advanced. It never goes back.
final class SandboxClock: Sendable {
    private let ahead: Mutex<Duration>

    init(ahead: Duration = .zero) { self.ahead = Mutex(ahead) }

    var isAhead: Duration { ahead.withLock { $0 } }

    var wall: WallClock { WallClock { [self] in WallClock.system.now().advanced(by: isAhead) } }

    func advance(by duration: Duration) { ahead.withLock { $0 += duration } }
}
