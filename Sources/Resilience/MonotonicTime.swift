// SPDX-License-Identifier: Apache-2.0

internal import Dispatch

/// Nanoseconds of a clock that never goes back, for what is decided on every call.
public enum MonotonicTime {
    public typealias Source = @Sendable () -> Int64

    public static let system: Source = { Int64(DispatchTime.now().uptimeNanoseconds) }
}
