// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The processors' time of one thread, and of all.
package enum ThreadTime {
    /// What the calling thread has used since it began. It is asked of the system, which takes some 200 ns.
    package static var used: Duration { read(CLOCK_THREAD_CPUTIME_ID) }

    /// What all threads of the process have used.
    package static var usedByAll: Duration { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
