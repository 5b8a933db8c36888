// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Wall clock time as signals carry it.
package enum UnixTime {
    /// Nanoseconds since 1970.
    package static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
