// SPDX-License-Identifier: Apache-2.0

internal import CJemalloc

/// The heap of the process.
enum Heap {
    /// Has the calling thread allocate where requests do not.
    ///
    /// For one that may be put aside at any moment: while it held the lock of an arena, whoever else needs that would wait. What
    /// it allocated before it gives back to where that came from, so it takes such a lock still, and only seldom.
    static func stepAside() {
        guard var arena = aside else { return }
        // Where this is refused, the thread stays where it was.
        guard mallctl("thread.arena", nil, nil, &arena, MemoryLayout.size(ofValue: arena)) == 0 else { return }
        // What it keeps at hand came from the arenas of requests.
        _ = mallctl("thread.tcache.flush", nil, nil, nil, 0)
    }

    /// One arena for all such threads.
    private static let aside: UInt32? = {
        var arena: UInt32 = 0
        var size = MemoryLayout.size(ofValue: arena)
        return mallctl("arenas.create", &arena, &size, nil, 0) == 0 ? arena : nil
    }()
}
