// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Packs the spans of one trace as they end in this process, and hands them on together.
///
/// A span takes some ten pieces of memory, and is at hand for seconds to minutes until the sampler has decided; thousands of
/// requests a second would leave the allocator nothing but holes. Packed while they are still in the processor's caches, all
/// spans of a request are one piece.
final class TraceRecording: Sendable {
    /// Where bundles go.
    final class Destination: Sendable {
        /// Whoever has one of these attributes is kept whatever becomes of it.
        let chosen: [Attribute]
        private let receive: @Sendable (SpanBundle) -> Void
        /// Emptied, for the next traces.
        private let buffers = Mutex<[[UInt8]]>([])

        private static let buffersMax = 64
        /// A larger one is not kept.
        private static let bufferMax = 16 << 10

        /// `receive` copies what it keeps of a bundle's bytes.
        init(chosen: [Attribute] = [], receive: @escaping @Sendable (SpanBundle) -> Void) {
            (self.chosen, self.receive) = (chosen, receive)
        }

        func buffer() -> [UInt8] {
            if let buffer = buffers.withLock({ $0.popLast() }) { return buffer }
            var buffer: [UInt8] = []
            buffer.reserveCapacity(2_048)
            return buffer
        }

        func take(_ bundle: consuming SpanBundle) {
            receive(bundle)
            var buffer = bundle.bytes
            _ = consume bundle
            guard buffer.capacity <= Self.bufferMax else { return }
            buffer.removeAll(keepingCapacity: true)
            buffers.withLock { if $0.count < Self.buffersMax { $0.append(buffer) } }
        }
    }

    private struct State {
        /// `nil` where nothing has ended that was not handed on.
        var bundle: SpanBundle?
        var since: UInt64 = 0
        /// Whether the span that began it has ended. What comes later goes on by itself.
        var isOver = false
    }

    let destination: Destination
    private let root: TraceContext
    private let state = Mutex(State())

    /// More is handed on before the trace is over.
    private static let bytesMax = 64 << 10
    /// Nanoseconds after which what has ended is handed on, though the trace goes on.
    private static let patience: UInt64 = 1_000_000_000

    /// For the trace that `root` begins in this process.
    init(of root: TraceContext, to destination: Destination) {
        (self.destination, self.root) = (destination, root)
    }

    /// What of it ended and was never told, because the span that began it never ended.
    deinit {
        if let rest = state.withLock({ $0.bundle.take() }) { destination.take(rest) }
    }

    func add(_ head: PackedSpan.Head, _ span: borrowing LiveSpan.State) {
        let isChosen = !destination.chosen.isEmpty && PackedSpan.has(destination.chosen, span)
        let isRoot = head.spanID == root.spanID
        let complete = state.withLock { state -> SpanBundle? in
            if state.bundle == nil {
                state.bundle = SpanBundle(root, in: destination.buffer())
                state.since = span.end
            }
            state.bundle?.append(head, span, isRoot: isRoot, isChosen: isChosen)
            state.isOver = state.isOver || isRoot
            guard let bundle = state.bundle else { return nil }
            // An error is told of at once: the process may not live to see the end of the trace.
            let isDue =
                state.isOver || bundle.isError || bundle.length > Self.bytesMax
                || span.end > state.since && span.end - state.since > Self.patience
            return isDue ? state.bundle.take() : nil
        }
        if let complete { destination.take(consume complete) }
    }
}
