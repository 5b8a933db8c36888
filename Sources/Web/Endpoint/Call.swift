// SPDX-License-Identifier: Apache-2.0

package import Kernel
package import Persistence
package import RateLimiting
package import Resilience

/// What all calls of a process share.
package struct CallServices: Sendable {
    package let database: Database
    package let clock: WallClock
    package let cursors: CursorCodec
    package let ready: ReadyAnswers
    package let limits: RequestLimits
    /// As many requests as are worked on at once without waiting for each other for long.
    package let load: ConcurrencyLimiter
    /// Scheme, host and port by which clients reach the API, without a slash at the end.
    package let baseURL: String
    /// Which versions of the API there are.
    package let versions: APIVersions
    package let deprecated: DeprecatedCalls
    package let requests: RequestLog
    /// The tables that say who may ask: a change there outdates every ready answer.
    let accessTables: [String]

    package init(
        database: Database, clock: WallClock, cursors: CursorCodec, baseURL: String, limits: RequestLimits,
        load: ConcurrencyLimiter, versions: APIVersions, keepsAnswers: Bool = true, accessTables: [String] = []
    ) {
        self.load = load
        self.database = database
        self.limits = limits
        self.clock = clock
        self.cursors = cursors
        requests = RequestLog(database: database, clock: clock)
        ready = ReadyAnswers(
            versions: database.versions, limits: limits, requests: requests, baseURL: baseURL, isOff: !keepsAnswers)
        self.accessTables = accessTables
        self.versions = versions
        deprecated = DeprecatedCalls(database: database)
        self.baseURL = baseURL
    }
}

/// One request, as a handler sees it: who asks, how the answer should look, and how an effect is committed.
package struct Call: Sendable {
    /// Who asks; nobody on open endpoints.
    package let principal: Principal?
    package let requestID: String
    /// What the client takes, as it said so.
    let accept: String?
    package let now: Timestamp
    /// What the client reads, best first, as primary language tags.
    package let languages: [String]
    /// Which related things the client wants inside the answer.
    package let expansions: Set<String>
    package let page: PageRequest
    package let precondition: Precondition
    let selection: FieldSelection
    let ticket: IdempotencyTicket?
    let services: CallServices
    let signals: RequestSignals

    package var database: Database { services.database }

    /// Reads on one consistent snapshot, which may lag behind by moments where the shop has replicas.
    package func read<Result: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> Result {
        try await database.readLagging(body)
    }

    /// The caller's name for the audit trail.
    package var actor: String { principal?.id ?? "anonymous" }

    /// Whose things the caller reaches.
    package var reach: Reach { Reach(customer: principal?.customer) }

    /// The developer from outside the shop who asks, and who reaches only what is their organisations'.
    package var partner: String? { principal?.partner }

    package func requires(_ scope: Scope) throws {
        guard let principal, principal.scopes.contains(scope) else {
            throw Problem.missing(scope.rawValue, of: principal)
        }
    }
}

// For protocols in which the handler finds out who asks.
extension Call {
    /// Has `body` run under the limits of whom the handler has recognised.
    ///
    /// - Throws: ``Problem`` 429, or what `body` throws.
    package func counted<Result>(as principal: Principal, _ body: () async throws -> Result) async throws -> Result {
        let limits = services.limits
        signals.principal = principal
        let ruling = await limits.decide(principal, nil, EndpointUse(cost: 1, kind: .read))
        defer { if let ruling { limits.release(ruling) } }
        if let ruling, !ruling.decision.isAllowed { throw limits.problem(ruling.decision) }
        return try await body()
    }

    /// Notes by which of the protocol's own codes the request is refused, for those who look it up.
    package func noteRefusal(_ code: String) { signals.problem = code }

    /// Commits `body`, for protocols that have no idempotency key.
    package func write<Result: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await database.write(body)
    }

    /// To be asked before a secret is looked at, so that a right one among many wrong ones is not told, either.
    ///
    /// - Throws: ``Problem`` 429 where too many that came from this address were wrong.
    package func requireSignInAllowed(from address: ClientAddress?) async throws {
        try await services.limits.requireSignInAllowed(from: address)
    }

    /// Counts a secret that was wrong.
    ///
    /// - Throws: ``Problem`` 429 where too many came from this address.
    package func noteFailedSignIn(from address: ClientAddress?) async throws {
        try await services.limits.noteFailedSignIn(from: address)
    }
}

// Effects. The answer to a request with an `Idempotency-Key` is stored in the transaction of the effect, so that there is
// no moment at which one exists without the other.
extension Call {
    /// Commits `body` and answers what it returns, or replays what an earlier request with the same key was answered.
    package func commit<Body>(
        _ body: @escaping @Sendable (Transaction) throws -> Answer<Body>
    ) async throws -> Answer<Body> {
        do {
            return try await database.write { transaction in
                switch try begin(in: transaction) {
                case .fresh: try finish(body(transaction), in: transaction)
                case .answered(let response): .rendered(response)
                case .begun: throw Problem(.inProgress, "The first request with this key has not ended yet.")
                }
            }
        } catch {
            return try await refuse(error)
        }
    }

    /// Commits one part of a request that is too large for one transaction. What it came to is stored with it, so that a
    /// retry with the same key goes on after the last part that is on disk.
    package func commit<Part: WireBody & Sendable>(
        part number: Int, _ body: @escaping @Sendable (Transaction) throws -> Part
    ) async throws -> Part {
        guard let ticket = ticket?.part(number) else { return try await database.write(alone: true, body) }
        return try await database.write(alone: true) { transaction in
            if case .answered(let response) = try IdempotencyStore.find(ticket, in: transaction) {
                var decoding = Decoding()
                if let part = Part.schema.decode(try JSON.parse(response.body), &decoding) { return part }
                throw Failure(.corrupt, "The stored part \(number) of a request cannot be read: \(decoding.summary)")
            }
            let part = try body(transaction)
            var json = JSONWriter()
            Part.schema.encode(part, &json, .all)
            try IdempotencyStore.store(
                WireResponse(status: 200, headers: [], body: json.bytes), for: ticket, at: now, in: transaction)
            return part
        }
    }

    /// Commits the answer to a request whose effect was committed in parts.
    package func commit<Body>(afterParts answer: Answer<Body>) async throws -> Answer<Body> where Body: Sendable {
        try await commit { transaction in
            if let ticket { try IdempotencyStore.forgetParts(of: ticket, in: transaction) }
            return answer
        }
    }

    /// How a request stands that works in several steps.
    package enum Beginning: Sendable {
        /// It is the first with its key, or has none.
        case fresh
        /// It was answered before; answer the same.
        case answered(WireResponse)
        /// It was begun before and made `resource`; drive that to its end.
        case begun(resource: String)
    }

    package func begin(in connection: Connection) throws -> Beginning {
        guard let ticket, let record = try IdempotencyStore.find(ticket, in: connection) else { return .fresh }
        switch record {
        case .answered(let response): return .answered(response.asReplay)
        case .begun(let resource): return .begun(resource: resource)
        }
    }

    /// Remembers that this request has made `resource` and is not finished.
    package func remember(resource: String, in transaction: Transaction) throws {
        guard let ticket else { return }
        try IdempotencyStore.begin(ticket, resource: resource, at: now, in: transaction)
    }

    /// Renders the final answer and stores it with the effect.
    package func finish<Body>(_ answer: Answer<Body>, in transaction: Transaction) throws -> Answer<Body> {
        guard let ticket else { return answer }
        let response = answer.response(selection: selection).made(in: services.versions.latest)
        try IdempotencyStore.store(response, for: ticket, at: now, in: transaction)
        return .rendered(response)
    }

    /// Renders a refusal that has an effect of its own, such as a declined payment, and stores it with that.
    package func finish<Body>(_ problem: Problem, in transaction: Transaction) throws -> Answer<Body> {
        let response = problem.response(requestID: requestID, baseURL: services.baseURL)
        if let ticket { try IdempotencyStore.store(response, for: ticket, at: now, in: transaction) }
        return .rendered(response)
    }

    /// Answers what was answered before.
    package func replay<Body>(_ response: WireResponse, as: Body.Type = Body.self) -> Answer<Body> {
        .rendered(response)
    }

    /// Stores a refusal that would be the same again, such as out of stock, and rethrows any other error.
    package func refuse<Body>(_ error: any Error) async throws -> Answer<Body> {
        let problem = Problem(describing: error)
        let isOurs = problem.type == .inProgress || problem.type == .idempotencyMismatch
        guard let ticket, [409, 422].contains(problem.type.status), !isOurs else { throw error }
        let response = problem.response(requestID: requestID, baseURL: services.baseURL)
        try await database.write { transaction in
            guard try IdempotencyStore.find(ticket, in: transaction) == nil else { return }
            try IdempotencyStore.store(response, for: ticket, at: now, in: transaction)
        }
        return .rendered(response)
    }
}

extension WireResponse {
    /// Labelled with the version in whose words it is, for whoever finds it later.
    func made(in version: APIVersion) -> WireResponse {
        guard header(APIVersions.header) == nil else { return self }
        var copy = self
        copy.headers.append(HeaderField(APIVersions.header, version.description))
        return copy
    }

    var asReplay: WireResponse {
        var copy = self
        copy.headers.append(HeaderField("Idempotent-Replayed", "true"))
        return copy
    }
}

extension Answer {
    /// The answer in bytes, with its validators.
    func response(selection: FieldSelection) -> WireResponse {
        switch content {
        case .rendered(let response): return response
        case .empty: return WireResponse(status: status)
        case .body(let body):
            var json = JSONWriter()
            Body.schema.encode(body, &json, selection)
            var headers = [HeaderField("Content-Type", "application/json")]
            if let version {
                headers.append(HeaderField("ETag", EntityTag.strong(version: version, body: json.bytes)))
            } else if status == 200 {
                headers.append(HeaderField("ETag", EntityTag.weak(body: json.bytes)))
            }
            if let location { headers.append(HeaderField("Location", location)) }
            if let language { headers.append(HeaderField("Content-Language", language)) }
            return WireResponse(status: status, headers: headers, body: json.bytes)
        }
    }
}
