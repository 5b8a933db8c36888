// SPDX-License-Identifier: Apache-2.0

/// From which time on samples have changed since a moment. To note one takes next to nothing, and the older a moment is, the more
/// roughly it is told: never too late.
struct ChangeLog {
    private static let countMax = 512

    /// Grows with each change.
    private(set) var revision: UInt64 = 0
    /// The earliest time that each change and those after it up to the next one touched; times ascend.
    private var changes: [(revision: UInt64, time: Int64)] = []

    /// Samples from `time` on may be other ones, or more, or gone.
    mutating func note(_ time: Int64) {
        revision += 1
        // What touched a later time says nothing more.
        while let last = changes.last, last.time >= time { changes.removeLast() }
        changes.append((revision, time))
        if changes.count > Self.countMax { coarsen() }
    }

    /// Puts neighbours together that lie long ago for how far apart they are: what is left is about eight for each time that the
    /// age grows by a factor of `e`.
    private mutating func coarsen() {
        var kept: [(revision: UInt64, time: Int64)] = []
        for change in changes {
            let begin = kept.dropLast().last?.revision ?? 0
            if let last = kept.last, change.revision - begin <= (revision - change.revision) / 8 {
                // As if it had happened when the later did, and touched what the earlier did.
                kept[kept.count - 1] = (change.revision, last.time)
            } else {
                kept.append(change)
            }
        }
        changes = kept
    }

    /// The earliest time that was touched since; `nil` where nothing was.
    func earliest(since revision: UInt64) -> Int64? { changes.first { $0.revision > revision }?.time }
}
