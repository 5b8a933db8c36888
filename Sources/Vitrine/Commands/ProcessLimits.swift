// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What a process that serves for long needs of the system.
enum ProcessLimits {
    /// To what the system allows anyway: each connection is a file, and the usual 1,024 are soon used up.
    static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max
        else {
            return
        }
        limit.rlim_cur = limit.rlim_max
        // Where this is refused, the old limit stays.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
