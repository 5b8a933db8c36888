// SPDX-License-Identifier: Apache-2.0

/// What a trace waited for: going back from its end, always into the child that ended last, as what ended earlier cannot have
/// held it up (Z. Zhang et al., CRISP: Critical Path Analysis of Large-Scale Microservice Architectures, USENIX ATC 2022, 3.2).
struct CriticalPath {
    /// Work of a span itself on the path. Times are in microseconds since 1970.
    struct Piece: Equatable {
        let place: Int
        let start: Int64
        let end: Int64
    }

    /// From the first to the last, without gaps.
    let pieces: [Piece]
    /// Microseconds that each span had itself.
    let own: [Int: Int64]

    init(_ trace: Trace) {
        guard let root = trace.roots.max(by: { trace.spans[$0].duration < trace.spans[$1].duration }) else {
            (pieces, own) = ([], [:])
            return
        }
        var found: [Piece] = []
        // Each entry is a span that is followed back from `end` to `start`, and which of its children are still to be looked at.
        var stack = [Self.entry(root, trace.spans[root].start, trace.spans[root].end, trace)]
        while var top = stack.popLast() {
            guard let child = top.waiting.popLast() else {
                if top.end > top.start { found.append(Piece(place: top.place, start: top.start, end: top.end)) }
                continue
            }
            let end = trace.spans[child].end
            // What ended after that was not waited for.
            guard end <= top.end else {
                stack.append(top)
                continue
            }
            let start = max(trace.spans[child].start, top.start)
            if top.end > end { found.append(Piece(place: top.place, start: end, end: top.end)) }
            top.end = start
            stack.append(top)
            stack.append(Self.entry(child, start, end, trace))
        }
        pieces = found.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
        own = found.reduce(into: [:]) { $0[$1.place, default: 0] += $1.end - $1.start }
    }

    private typealias Entry = (place: Int, start: Int64, end: Int64, waiting: [Int])

    private static func entry(_ place: Int, _ start: Int64, _ end: Int64, _ trace: Trace) -> Entry {
        let inside = trace.children[place].filter { trace.spans[$0].start < end && trace.spans[$0].end > start }
        return (place, start, end, inside.sorted { trace.spans[$0].end < trace.spans[$1].end })
    }
}
