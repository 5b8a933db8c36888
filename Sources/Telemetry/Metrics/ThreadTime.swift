// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The processors' time of one thread.
package enum ThreadTime {
    /// What the calling thread has used since it began. It is asked of the system, which takes some 200 ns.
    package static var used: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
