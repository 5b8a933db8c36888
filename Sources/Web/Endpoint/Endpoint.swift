// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Kernel
internal import RateLimiting
internal import Resilience

package enum Method: String, CaseIterable, Sendable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"

    var changes: Bool { self != .get }
}

/// How long an answer may be used again without asking.
package enum CachePolicy: Hashable, Sendable {
    /// Asks every time; the validators make that cheap.
    case revalidate
    /// Is good for so many seconds for whoever holds the key.
    case seconds(Int)
    case none

    var header: String {
        switch self {
        case .revalidate: "private, no-cache"
        case .seconds(let seconds): "private, max-age=\(seconds)"
        case .none: "no-store"
        }
    }
}

/// One operation of the API, with everything that must agree about it.
///
/// Routing, access, validation, conditional requests, idempotency and the OpenAPI document all come from this value; an
/// operation that has none does not exist.
package struct Endpoint: Sendable {
    package let method: Method
    /// With parameters in braces: `/v1/products/{id}`.
    package let path: String
    package let operationID: String
    package let summary: String
    package var access = Access.open
    package var customers = CustomerAccess.none
    /// Whether developers from outside the shop may ask it, about what is their organisations'.
    package var isForPartners = false
    package var cache = CachePolicy.revalidate
    /// What a call costs in the currency of rate limits; a read by key costs 1.
    package var cost = 1
    /// Whether it looks through many things, and so counts under the limit of searches, too.
    package var isSearch = false
    /// Who is turned away last when there is too much to do; `nil` for what answers however much it is.
    var priority: Priority? = .standard
    /// Whether `If-Match` must be sent.
    package var requiresPrecondition = false
    /// Whether the answer holds a secret, which must not be stored readable.
    package var answersSecret = false
    /// The header that carries a signature of the body, where the caller is known by that.
    package var signatureHeader: String?
    /// Whether it may answer 202 while the outcome is not known.
    package var mayAnswerLater = false
    /// Set where it is on its way out.
    package var deprecation: Deprecation?
    package var expansions: [String] = []
    package var problems: [ProblemType] = []
    package var isPaged = false
    /// The tables that the answer is made of, where it may be kept and given again as long as they do not change.
    package var tables: [String] = []
    package var bodyBytesMax = 1 << 20
    package var contentTypes = ["application/json"]
    /// Whether a standard of others says how it is asked and how it answers, so that nothing of ours is read from requests or
    /// added to answers.
    var isExchange = false
    /// Whether it only asks, though its method is one of those that change something.
    var onlyAsks = false
    /// Whether it changes something.
    var isChange: Bool { method.changes && !onlyAsks }
    /// Whether it speaks the version that its caller asks for; none in protocols of others.
    var isVersioned: Bool { !isExchange && answerContentType == "application/json" }
    /// How long a call may take once its body has arrived. Beyond it the caller is answered 503.
    package var timeMax = Duration.seconds(30)
    /// The same for a batch, which takes longest.
    private static let batchTimeMax = Duration.seconds(600)
    /// The longest that any call is under way, with the arriving of its body and what it asks to wait.
    package static let longest = batchTimeMax + .seconds(60)

    package let parameters: SchemaForm
    package let body: SchemaForm?
    package let answer: SchemaForm?
    /// The status of success.
    package let status: Int
    package var answerContentType = "application/json"
    /// Other types that the answer may have; which one the client takes is found by the handler.
    var otherContentTypes: [String] = []

    /// Decodes, handles, and renders.
    let respond: @Sendable (Call, RequestInput) async throws -> WireResponse
}

/// What a request brings, before it is decoded.
struct RequestInput: Sendable {
    let parameters: JSON
    /// Which of the parameters stand in the path.
    let pathNames: [String]
    let body: [UInt8]
    let method: Method
    let headers: HTTPFields
    /// Where it came from; nothing on a socket of this machine.
    let address: ClientAddress?
    /// Path and query without the cursor, to which cursors are bound.
    let listAddress: String
    let query: [(name: String, value: String)]
    let path: String

    /// The first field of that name.
    func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
}

// How endpoints are declared.
extension Endpoint {
    /// Reads one thing.
    package static func get<Parameters: WireBody, Body: WireBody>(
        _ path: String, _ operationID: String, _ summary: String,
        use handler: @escaping @Sendable (Call, Parameters) async throws -> Answer<Body>
    ) -> Endpoint {
        Endpoint(
            method: .get, path: path, operationID: operationID, summary: summary, parameters: Parameters.schema.form,
            body: nil, answer: Body.schema.form, status: 200
        ) { call, input in
            let answer = try await handler(call, decodeParameters(input))
            return answer.response(selection: call.selection)
        }
    }

    /// Reads a page of a list.
    package static func list<Parameters: WireBody, Item: WireBody>(
        _ path: String, _ operationID: String, _ summary: String,
        use handler: @escaping @Sendable (Call, Parameters) async throws -> Listing<Item>
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: .get, path: path, operationID: operationID, summary: summary, parameters: Parameters.schema.form,
            body: nil, answer: Listing<Item>.form, status: 200
        ) { call, input in
            let listing = try await handler(call, decodeParameters(input))
            return listing.response(call: call, input: input, operationID: operationID)
        }
        endpoint.isPaged = true
        return endpoint
    }

    /// Changes something, as the body says.
    package static func change<Parameters: WireBody, Input: WireBody, Body: WireBody>(
        _ method: Method, _ path: String, _ operationID: String, _ summary: String, status: Int = 200,
        use handler: @escaping @Sendable (Call, Parameters, Input) async throws -> Answer<Body>
    ) -> Endpoint {
        precondition(method.changes, "A read has no body.")
        var endpoint = Endpoint(
            method: method, path: path, operationID: operationID, summary: summary, parameters: Parameters.schema.form,
            body: Input.schema.form, answer: status == 204 ? nil : Body.schema.form, status: status
        ) { call, input in
            let parameters: Parameters = try decodeParameters(input)
            let body: Input = try decodeBody(input.body)
            return try await handler(call, parameters, body).response(selection: call.selection)
        }
        endpoint.cache = .none
        if method == .patch { endpoint.contentTypes = ["application/merge-patch+json", "application/json"] }
        return endpoint
    }

    /// Changes something, with nothing more to say than the address.
    package static func act<Parameters: WireBody, Body: WireBody>(
        _ method: Method, _ path: String, _ operationID: String, _ summary: String, status: Int = 200,
        use handler: @escaping @Sendable (Call, Parameters) async throws -> Answer<Body>
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: method, path: path, operationID: operationID, summary: summary, parameters: Parameters.schema.form,
            body: nil, answer: status == 204 ? nil : Body.schema.form, status: status
        ) { call, input in
            try await handler(call, decodeParameters(input)).response(selection: call.selection)
        }
        endpoint.cache = .none
        return endpoint
    }

    /// Takes a batch, one JSON value a line, and answers for each.
    package static func batch<Body: WireBody>(
        _ path: String, _ operationID: String, _ summary: String, line: SchemaForm, bodyBytesMax: Int,
        use handler: @escaping @Sendable (Call, [UInt8]) async throws -> Answer<Body>
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: .post, path: path, operationID: operationID, summary: summary, parameters: NoBody.schema.form,
            body: line, answer: Body.schema.form, status: 207
        ) { call, input in
            let _: NoBody = try decodeParameters(input)
            return try await handler(call, input.body).response(selection: call.selection)
        }
        endpoint.cache = .none
        endpoint.contentTypes = ["application/x-ndjson"]
        endpoint.bodyBytesMax = bodyBytesMax
        endpoint.timeMax = batchTimeMax
        endpoint.priority = .sheddable
        return endpoint
    }

    /// Hears of something from a system that signs what it sends. The body is handed over as it came, because its bytes are
    /// what is signed.
    package static func notification<Parameters: WireBody>(
        _ path: String, _ operationID: String, _ summary: String, signedBy header: String,
        use handler: @escaping @Sendable (Call, Parameters, [UInt8], _ signature: String?) async throws -> Void
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: .post, path: path, operationID: operationID, summary: summary, parameters: Parameters.schema.form,
            body: .anyObject, answer: nil, status: 204
        ) { call, input in
            try await handler(call, decodeParameters(input), input.body, input.header(header))
            return WireResponse(status: 204)
        }
        endpoint.cache = .none
        // Whoever is paid for must not be told to come later.
        endpoint.cost = 0
        endpoint.priority = .critical
        endpoint.signatureHeader = header
        return endpoint
    }

    /// Shows a text of our own, such as the explanation of a problem.
    package static func page<Parameters: WireBody>(
        _ path: String, _ operationID: String, _ summary: String, contentType: String,
        use handler: @escaping @Sendable (Call, Parameters) async throws -> [UInt8]
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: .get, path: path, operationID: operationID, summary: summary, parameters: Parameters.schema.form,
            body: nil, answer: nil, status: 200
        ) { call, input in
            let bytes = try await handler(call, decodeParameters(input))
            return WireResponse(
                status: 200,
                headers: [HeaderField("Content-Type", contentType), HeaderField("ETag", EntityTag.weak(body: bytes))],
                body: bytes)
        }
        endpoint.answerContentType = contentType
        endpoint.cache = .seconds(300)
        return endpoint
    }

    /// Speaks a protocol that others have written down: forms in, and answers of its own shape, pages and redirections among
    /// them. The handler sees the request as it came and says every field of the answer. It is no operation of the API's
    /// document; the protocol has its own.
    package static func exchange(
        _ method: Method, _ path: String, _ operationID: String, _ summary: String,
        use handler: @escaping @Sendable (Call, Exchange) async throws -> WireResponse
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: method, path: path, operationID: operationID, summary: summary, parameters: NoBody.schema.form,
            body: method.changes ? .anyObject : nil, answer: nil, status: 200
        ) { call, input in
            try await handler(call, Exchange(input))
        }
        endpoint.isExchange = true
        endpoint.cache = .none
        endpoint.bodyBytesMax = 64 << 10
        return endpoint
    }

    /// Tells of this process as it is now: nothing is kept, and no table is looked at.
    ///
    /// `answer` is told the `Accept` header and chooses among `contentTypes`.
    package static func report(
        _ path: String, _ operationID: String, _ summary: String, contentTypes: [String],
        answer: @escaping @Sendable (_ accept: String?) -> WireResponse
    ) -> Endpoint {
        var endpoint = Endpoint(
            method: .get, path: path, operationID: operationID, summary: summary, parameters: NoBody.schema.form,
            body: nil, answer: nil, status: 200
        ) { call, _ in
            answer(call.accept)
        }
        endpoint.answerContentType = contentTypes[0]
        endpoint.otherContentTypes = Array(contentTypes.dropFirst())
        endpoint.cache = .none
        // Probes and scrapers come however busy the shop is.
        endpoint.cost = 0
        endpoint.priority = nil
        return endpoint
    }

    private static func decodeParameters<Parameters: WireBody>(_ input: RequestInput) throws -> Parameters {
        var decoding = Decoding()
        guard let parameters = Parameters.schema.decode(input.parameters, &decoding) else {
            // An address with a part that cannot name anything is an address of nothing.
            if let first = decoding.errors.first(where: { input.pathNames.contains($0.path.first ?? "") }) {
                throw Problem(.notFound, "There is nothing here: \(first.path.joined()) is malformed. \(first.detail)")
            }
            throw Problem(.invalidParameter, decoding.summary).with(errors: decoding.errors)
        }
        return parameters
    }

    private static func decodeBody<Input: WireBody>(_ bytes: [UInt8]) throws -> Input {
        let json: JSON
        do {
            json = try JSON.parse(bytes)
        } catch {
            throw Problem(.malformedRequest, "\(error.reason) at byte \(error.offset) of the body.")
        }
        var decoding = Decoding()
        guard let input = Input.schema.decode(json, &decoding) else {
            throw Problem(.invalidBody, decoding.summary).with(errors: decoding.errors)
        }
        return input
    }
}

extension Decoding {
    /// The first fault in words, for people who read no further than `detail`. What a client named stands in it as text that controls no
    /// terminal, and at no more length than people read.
    package var summary: String {
        guard let first = errors.first else { return "The request is not valid." }
        let others = errors.count > 1 ? " And \(errors.count - 1) more, see errors." : ""
        let place = first.pointer.unicodeScalars.prefix(300).map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7F ? "\u{FFFD}" : scalar
        }
        return "\(String(String.UnicodeScalarView(place))): \(first.detail)\(others)"
    }
}

// Settings, each a copy with one thing changed, so that a declaration reads as a sentence.
extension Endpoint {
    package func scope(_ scope: Scope) -> Endpoint { changed { $0.access = .scope(scope) } }
    package func forCustomers(_ access: CustomerAccess) -> Endpoint { changed { $0.customers = access } }
    package func forPartners() -> Endpoint { changed { $0.isForPartners = true } }
    package func ready(from tables: [String]) -> Endpoint { changed { $0.tables = tables } }
    package func anyKey() -> Endpoint { changed { $0.access = .key } }
    package func uncached() -> Endpoint { changed { $0.cache = .none } }
    package func asking() -> Endpoint { changed { $0.onlyAsks = true } }
    package func cost(_ cost: Int) -> Endpoint { changed { $0.cost = cost } }
    package func searching(cost: Int) -> Endpoint {
        changed { ($0.cost, $0.isSearch, $0.priority) = (cost, true, .sheddable) }
    }
    /// Turned away last when there is too much to do.
    package func essential() -> Endpoint { changed { $0.priority = .critical } }
    /// Never turned away.
    package func unshed() -> Endpoint { changed { $0.priority = nil } }
    /// Turned away first.
    package func deferrable() -> Endpoint { changed { $0.priority = .sheddable } }
    package func conditional() -> Endpoint { changed { $0.requiresPrecondition = true } }
    package func orLater() -> Endpoint { changed { $0.mayAnswerLater = true } }
    package func confidential() -> Endpoint { changed { $0.answersSecret = true } }
    package func deprecated(_ deprecation: Deprecation) -> Endpoint { changed { $0.deprecation = deprecation } }
    package func expands(_ names: String...) -> Endpoint { changed { $0.expansions = names } }
    package func mayAnswer(_ problems: ProblemType...) -> Endpoint { changed { $0.problems = problems } }

    private func changed(_ change: (inout Endpoint) -> Void) -> Endpoint {
        var copy = self
        change(&copy)
        return copy
    }
}
