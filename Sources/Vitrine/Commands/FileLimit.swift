// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// How many files and connections this process may have open.
enum FileLimit {
    /// Raises it to what the system allows anyway: each connection is one, and the usual 1,024 are soon used up.
    static func raise() {
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
