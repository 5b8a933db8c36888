// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Packs the spans of one trace as they end in this process, so that they are handed on together.
///
/// A span takes some ten pieces of memory, and is at hand for seconds to minutes until the sampler has decided; thousands of
/// requests a second would leave the allocator nothing but holes. Packed while they are still in the processor's caches, all
/// spans of a request are one piece.
final class TraceRecording: Sendable {
    private struct State {
        /// `nil` where nothing has ended that was not handed on.
        var bundle: SpanBundle?
        /// Whether the span that began it has ended. What comes later goes on by itself.
        var isOver = false
        /// Whether the pipeline will ask for what is held.
        var isListed = false
    }

    let pipeline: SpanPipeline
    private let root: TraceContext
    private let state = Mutex(State())
    /// Where the pipeline has listed it; only the pipeline looks at it, under its lock.
    let place = Atomic(0)

    /// More is handed on before the trace is over.
    private static let bytesMax = 64 << 10

    /// For the trace that `root` begins in this process.
    init(of root: TraceContext, for pipeline: SpanPipeline) { (self.pipeline, self.root) = (pipeline, root) }

    /// - Returns: what is now to be given to the pipeline. An error is told of at once: the process may not live to see the
    ///   end of the trace.
    func add(_ head: PackedSpan.Head, _ span: borrowing LiveSpan.State) -> SpanBundle? {
        let isChosen = !pipeline.chosen.isEmpty && PackedSpan.has(pipeline.chosen, span)
        let isRoot = head.spanID == root.spanID
        return state.withLock { state in
            var bundle = state.bundle.take() ?? SpanBundle(root, in: pipeline.buffer())
            bundle.append(head, span, isRoot: isRoot, isChosen: isChosen)
            state.isOver = state.isOver || isRoot
            let isDue = state.isOver || bundle.isError || bundle.length > Self.bytesMax
            list(!isDue, &state)
            if isDue { return bundle }
            state.bundle = bundle
            return nil
        }
    }

    /// Takes out what has ended and was not handed on.
    func takeOut() -> SpanBundle? {
        state.withLock { state in
            list(false, &state)
            return state.bundle.take()
        }
    }

    private func list(_ isListed: Bool, _ state: inout State) {
        guard isListed != state.isListed else { return }
        state.isListed = isListed
        if isListed { pipeline.list(self) } else { pipeline.unlist(self) }
    }
}
