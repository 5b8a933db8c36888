// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Kernel
internal import Metrics
internal import NIOCore
package import Persistence
internal import Synchronization

/// Answers that the general path gave and that would be the same again, in the bytes that go out.
///
/// Nothing is made here. An answer is kept with the moment before anything was looked up for it, and counts as current
/// while no table that its endpoint reads has changed since, and for ``Principal/memory`` at most, because keys expire and are
/// revoked elsewhere.
package final class ReadyAnswers: Sendable {
    /// What an answer depends on in a request: its target and the fields that choose a representation.
    struct Key: Hashable {
        let target: String
        let authorization: String
        let accept: String
        let language: String
        let encoding: String
    }

    struct Answer: Sendable {
        /// Status line and fields, without those that differ each time.
        let head: [UInt8]
        let body: [UInt8]
        /// Status line and fields of the 304 to a client that has it.
        let unchangedHead: [UInt8]
        let tag: String
        let signals: EndpointSignals
        /// Whose answer it is, and what it uses of his limits.
        let principal: Principal
        let use: EndpointUse
        fileprivate let tables: [TableVersions.Table]
        fileprivate let madeAt: Int
        fileprivate let until: ContinuousClock.Instant

        fileprivate var isCurrent: Bool {
            tables.allSatisfy { $0.isUnchanged(since: madeAt) } && ContinuousClock.now < until
        }

        fileprivate var size: Int { head.count + body.count + unchangedHead.count + 512 }
    }

    private struct State {
        var answers: [Int: (key: Key, answer: Answer)] = [:]
        var size = 0
    }

    /// What is kept in all.
    private static let sizeMax = 24 << 20
    /// Larger answers are not kept: sending them costs more than finding them.
    private static let answerSizeMax = 128 << 10

    private let state = Mutex(State())
    private let versions: TableVersions
    /// Answers that were given from here, and those that were put here.
    private let served = Counter(label: "vitrine.ready_answers.served")
    private let kept = Counter(label: "vitrine.ready_answers.kept")
    private let size = Meter(label: "vitrine.ready_answers.size")

    let limits: RequestLimits
    let requests: RequestLog

    private let isOff: Bool
    /// What every answer carries.
    private let fields: [HeaderField]

    /// Where it `isOff`, nothing is kept, so that every request goes the general path.
    package init(
        versions: TableVersions, limits: RequestLimits, requests: RequestLog, baseURL: String = "", isOff: Bool = false
    ) {
        self.versions = versions
        self.requests = requests
        fields = SecurityHeadersMiddleware.fields(baseURL).map { HeaderField($0.name.rawName, $0.value) }
        self.isOff = isOff
        self.limits = limits
    }

    /// Fields that say nothing where there is no content (RFC 9110 section 15.4.5).
    static let aboutContent: Set = ["content-type", "content-encoding", "content-language", "link"]

    /// The moment to keep an answer with; taken before anything is looked up.
    var now: Int { versions.now }

    func tables(_ names: [String]) -> [TableVersions.Table] { names.map(versions.table) }

    /// The current answer under a hash, if `matches` says that it is the one.
    func find(hash: Int, where matches: (Key) -> Bool) -> Answer? {
        state.withLock { state in
            guard let found = state.answers[hash], matches(found.key) else { return nil }
            guard found.answer.isCurrent else {
                state.size -= found.answer.size
                state.answers[hash] = nil
                return nil
            }
            served.increment()
            return found.answer
        }
    }

    /// Keeps a whole answer.
    func keep(
        _ response: WireResponse, for key: Key, made moment: Int, of tables: [TableVersions.Table],
        signals: EndpointSignals, principal: Principal?, use: EndpointUse
    ) {
        // Whoever has to prove something with each request is asked each time; who is known by nothing that the request carries
        // is known in this process alone.
        guard !isOff, let principal, !principal.isBound, !key.authorization.isEmpty, response.status == 200,
            let tag = response.header("ETag")
        else { return }
        let answer = Answer(
            head: Self.head(
                "200 OK", response.headers + fields + [HeaderField("Content-Length", String(response.body.count))]),
            body: response.body,
            unchangedHead: Self.head(
                "304 Not Modified",
                fields + response.headers.filter { !Self.aboutContent.contains($0.name.lowercased()) }),
            tag: tag, signals: signals, principal: principal, use: use, tables: tables, madeAt: moment,
            until: .now + principal.memory)
        guard answer.size <= Self.answerSizeMax, answer.isCurrent else { return }
        let hash = RequestHead.hash(key)
        state.withLock { state in
            if let old = state.answers[hash] { state.size -= old.answer.size }
            if state.size + answer.size > Self.sizeMax { Self.makeRoom(&state) }
            state.answers[hash] = (key, answer)
            state.size += answer.size
            size.set(state.size)
        }
        kept.increment()
    }

    /// Drops what is out of date, and everything where that is not enough.
    private static func makeRoom(_ state: inout State) {
        state.answers = state.answers.filter { $0.value.answer.isCurrent }
        state.size = state.answers.values.reduce(0) { $0 + $1.answer.size }
        if state.size > sizeMax / 2 { state = State() }
    }

    private static func head(_ status: String, _ fields: [HeaderField]) -> [UInt8] {
        var text = "HTTP/1.1 \(status)\r\n"
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        return Array((text + "Server: vitrine\r\n").utf8)
    }
}
