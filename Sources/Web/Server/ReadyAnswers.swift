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

    /// An object, because what is found goes through several hands, which would count the references of each part.
    final class Answer: Sendable {
        /// Status line and fields, without those that differ each time.
        let head: [UInt8]
        let body: [UInt8]
        /// Status line and fields of the 304 to a client that has it.
        let unchangedHead: [UInt8]
        let tag: String
        let signals: EndpointSignals
        /// What is asked of its caller's limits.
        let checks: ReadyChecks
        /// The app in whose request log it is noted; `nil` where there is none.
        let app: String?
        fileprivate let key: Key
        private let tables: [TableVersions.Table]
        private let madeAt: Int
        private let until: ContinuousClock.Instant
        /// The latest moment of all changes at which none of the tables had changed.
        private let checkedAt = Atomic(-1)

        fileprivate init(
            _ response: WireResponse, for key: Key, fields: [HeaderField], tag: String, made moment: Int,
            of tables: [TableVersions.Table], signals: EndpointSignals, principal: Principal, checks: ReadyChecks
        ) {
            self.key = key
            body = response.body
            let length = HeaderField("Content-Length", String(body.count))
            head = Self.head("200 OK", response.headers + fields + [length])
            unchangedHead = Self.head(
                "304 Not Modified",
                fields + response.headers.filter { !ReadyAnswers.aboutContent.contains($0.name.lowercased()) })
            until = .now + principal.memory
            (self.tables, madeAt) = (tables, moment)
            (self.tag, self.signals, self.checks) = (tag, signals, checks)
            app = principal.app
        }

        /// `moment` is that of all changes, taken before.
        fileprivate func isCurrent(at now: ContinuousClock.Instant, _ moment: Int) -> Bool {
            guard now < until else { return false }
            if checkedAt.load(ordering: .relaxed) == moment { return true }
            guard tables.allSatisfy({ $0.isUnchanged(since: madeAt) }) else { return false }
            checkedAt.store(moment, ordering: .relaxed)
            return true
        }

        fileprivate var size: Int { head.count + body.count + unchangedHead.count + 512 }

        private static func head(_ status: String, _ fields: [HeaderField]) -> [UInt8] {
            var text = "HTTP/1.1 \(status)\r\n"
            for field in fields { text += "\(field.name): \(field.value)\r\n" }
            return Array((text + "Server: vitrine\r\n").utf8)
        }
    }

    private struct State {
        var answers: [Int: Answer] = [:]
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
    func find(hash: Int, at now: ContinuousClock.Instant, where matches: (Key) -> Bool) -> Answer? {
        let moment = versions.now
        let answer = state.withLock { state -> Answer? in
            guard let found = state.answers[hash], matches(found.key) else { return nil }
            guard found.isCurrent(at: now, moment) else {
                state.size -= found.size
                state.answers[hash] = nil
                return nil
            }
            return found
        }
        if answer != nil { served.increment() }
        return answer
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
            response, for: key, fields: fields, tag: tag, made: moment, of: tables, signals: signals,
            principal: principal, checks: limits.readyChecks(principal, use))
        guard answer.size <= Self.answerSizeMax, answer.isCurrent(at: .now, now) else { return }
        let hash = RequestHead.hash(key)
        state.withLock { state in
            if let old = state.answers[hash] { state.size -= old.size }
            if state.size + answer.size > Self.sizeMax { makeRoom(&state) }
            state.answers[hash] = answer
            state.size += answer.size
            size.set(state.size)
        }
        kept.increment()
    }

    /// Drops what is out of date, and everything where that is not enough.
    private func makeRoom(_ state: inout State) {
        let (now, moment) = (ContinuousClock.now, versions.now)
        state.answers = state.answers.filter { $0.value.isCurrent(at: now, moment) }
        state.size = state.answers.values.reduce(0) { $0 + $1.size }
        if state.size > Self.sizeMax / 2 { state = State() }
    }
}
