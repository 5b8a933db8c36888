// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Hummingbird
internal import Kernel
internal import NIOCore
internal import NIOHTTP2
internal import Persistence
internal import RateLimiting
internal import Resilience

/// Serves one endpoint: reads the request as the endpoint says, calls its handler, and settles what is common to answers.
struct EndpointResponder: HTTPResponder {
    let endpoint: Endpoint
    let services: CallServices
    private let signals: EndpointSignals
    private let tables: [TableVersions.Table]
    /// The types that the answer may have, without parameters.
    private let offers: [String]
    private let useCase: UseCaseSpan
    /// Parameters of the address, and what they are called in traces.
    private let subjectNames: [(parameter: String, name: String)]

    init(endpoint: Endpoint, services: CallServices, signals: EndpointSignals) {
        self.endpoint = endpoint
        self.services = services
        self.signals = signals
        useCase = UseCaseSpan(operationID: endpoint.operationID)
        subjectNames = Self.subjectNames(endpoint.path)
        offers = ([endpoint.answerContentType] + endpoint.otherContentTypes).map { String($0.prefix { $0 != ";" }) }
        // Calls of what is on its way out are counted, each.
        let isReady = !endpoint.tables.isEmpty && endpoint.deprecation == nil
        tables = services.ready.tables(isReady ? endpoint.tables + services.accessTables : [])
    }

    /// Shorter answers gain nothing from gzip.
    private static let compressedBytesMin = 1_024

    func respond(to request: Request, context: APIContext) async throws -> Response {
        let facts = context.signals.facts
        if let principal = context.principal { facts.note("vitrine.client.id", principal.id) }
        for (name, value) in subjects(context) { facts.note(name, value) }
        // Whoever changes something answers for it, from where he is.
        let isKnown = endpoint.isChange || endpoint.isExchange
        let address = isKnown ? services.limits.address(of: request, context) : nil
        if endpoint.isChange, let address { facts.note("client.address", address.description) }
        if !endpoint.isExchange { try negotiate(request.headers) }
        let version = try version(of: request, context)
        if endpoint.deprecation != nil, let principal = context.principal {
            services.deprecated.note(endpoint.operationID, by: principal.client, at: services.clock.now())
        }
        let reader = try RequestReader(
            endpoint: endpoint, path: request.uri.path, query: request.uri.query, headers: request.headers,
            pathParameters: try pathParameters(context))
        let body = try await body(of: request)
        let input = try reader.input(
            body: version.map { services.versions.upgraded(body, of: endpoint, from: $0) } ?? body,
            method: endpoint.method, address: address)
        let call = try reader.call(
            principal: context.principal, requestID: context.requestID, services: services, signals: context.signals,
            body: body,
            method: endpoint.method)
        var response = try await Deadline.$current.withValue(
            .after(Preference.timeMax(of: endpoint, request.headers))
        ) {
            try await RequestFacts.$current.withValue(facts) {
                try await admitted(facts) { try await answer(call, input) }
            }
        }
        if let version { services.versions.downgrade(&response, of: endpoint, to: version) }
        conclude(&response, for: request)
        // The lane does not read which version a request names, so that what it keeps is of those that name none.
        if !tables.isEmpty, !APIVersions.isNamed(in: request.headers) {
            services.ready.keep(
                response, for: ReadyAnswers.Key(request), made: context.moment, of: tables, signals: signals,
                principal: context.principal, use: endpoint.use)
        }
        answerUnchanged(&response, for: request)
        if let wait = Preference.wait(in: request.headers) { response.headers.append(Preference.applied(wait)) }
        response.headers.append(HeaderField("Server-Timing", "db;desc=\"\(facts.statements) statements\""))
        return Response(response, requestID: context.requestID, method: request.method)
    }

    /// Turns a request away while there is too much to do, what matters least first. Stands behind the body, because one that
    /// comes slowly takes no hand.
    private func admitted(
        _ facts: RequestFacts, _ work: () async throws -> WireResponse
    ) async throws -> WireResponse {
        guard let priority = endpoint.priority else { return try await work() }
        do {
            return try await services.load.run(priority, waited: { facts.waited }, work)
        } catch is Overloaded {
            throw Problem(.unavailable, "The shop has as much to do as it can just now.").with(
                header: "Retry-After", "1")
        }
    }

    /// The stored answer where the request was answered before, else the handler's.
    private func answer(_ call: Call, _ input: RequestInput) async throws -> WireResponse {
        if call.ticket != nil {
            let beginning = try await call.database.read { try call.begin(in: $0) }
            if case .answered(let response) = beginning { return response }
        }
        guard endpoint.isChange else { return try await endpoint.respond(call, input) }
        return try await useCase.run { try await endpoint.respond(call, input) }
    }

    /// What the address names: `vitrine.order.id` for `/v1/orders/{id}`.
    private func subjects(_ context: APIContext) -> [(String, String)] {
        subjectNames.compactMap { parameter, name in
            context.parameters.get(parameter).map { (name, String($0.prefix(100))) }
        }
    }

    private static func subjectNames(_ path: String) -> [(parameter: String, name: String)] {
        let parts = path.split(separator: "/")
        return zip(parts, parts.dropFirst()).compactMap { resource, parameter in
            guard parameter.hasPrefix("{"), parameter.hasSuffix("}") else { return nil }
            let kind = resource.hasSuffix("ies") ? resource.dropLast(3) + "y" : resource.dropLast(1)
            return (String(parameter.dropFirst().dropLast()), "vitrine.\(kind.replacing("-", with: "_")).id")
        }
    }

    private func pathParameters(_ context: APIContext) throws -> [(name: String, value: String)] {
        try context.parameters.map { name, value in
            guard let text = PercentEncoding.decode(value.replacing("+", with: "%2B")) else {
                throw Problem(.notFound, "The address is not percent-encoded UTF-8.")
            }
            return (name: String(name), value: text)
        }
    }

    // MARK: Before the handler

    /// The version that is spoken; none in protocols of others.
    private func version(of request: Request, _ context: APIContext) throws -> APIVersion? {
        guard endpoint.isVersioned else { return nil }
        return try services.versions.asked(request.headers, pin: context.principal?.apiVersion)
    }

    private func negotiate(_ headers: HTTPFields) throws {
        guard let header = headers[.accept] else { return }
        let isAcceptable = RequestReader.qualities(header).contains { value, quality in
            quality > 0 && offers.contains { Self.accepts(value.lowercased(), offered: $0) }
        }
        guard isAcceptable else {
            let offered = offers.joined(separator: " or ")
            throw Problem(.notAcceptable, "This operation answers \(offered). Accept was \(header.prefix(100)).")
        }
    }

    private static func accepts(_ range: String, offered: String) -> Bool {
        let family = String(offered.prefix { $0 != "/" })
        return range == "*/*" || range == offered || (offered == "application/json" && range == APIVersions.mediaType)
            || range == family + "/*"
            || (offered == "application/json" && range == "application/problem+json")
    }

    private func body(of request: Request) async throws -> [UInt8] {
        guard endpoint.method.changes else { return [] }
        if let text = request.headers[.contentLength], let length = Int(text), length > endpoint.bodyBytesMax {
            throw tooLarge
        }
        let bytes = try await collected(request)
        guard endpoint.body != nil else { return [] }
        if !endpoint.isExchange { try requireContentType(request.headers) }
        return try decoded(bytes, encoding: request.headers[.contentEncoding])
    }

    private func collected(_ request: Request) async throws -> [UInt8] {
        if request.headers[.contentLength] == "0" { return [] }
        do {
            return Array(try await request.body.collect(upTo: endpoint.bodyBytesMax).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch let late as BodyTooSlow {
            throw Problem(
                .requestTimeout, "The body did not arrive within \(late.limit.nanoseconds / 1_000_000_000) s."
            )
            .with(header: "Connection", "close")
        } catch is NIOHTTP2Errors.StreamClosed {
            throw Problem(.malformedRequest, "The body broke off.")
        } catch let error as HTTPError where error.status == .contentTooLarge {
            throw tooLarge
        }
    }

    private var tooLarge: Problem {
        Problem(.contentTooLarge, "At most \(endpoint.bodyBytesMax) bytes are taken here.")
            .with(header: "Connection", "close")
    }

    private func requireContentType(_ headers: HTTPFields) throws {
        let header = headers[.contentType] ?? ""
        let parts = header.split(separator: ";").map { $0.trimmingSpace.lowercased() }
        let isUTF8 = parts.dropFirst().allSatisfy {
            !$0.hasPrefix("charset=") || $0.hasSuffix("utf-8") || $0.hasSuffix("utf-8\"")
        }
        guard let type = parts.first, endpoint.contentTypes.contains(type), isUTF8 else {
            let accepted = endpoint.contentTypes.joined(separator: " or ")
            throw Problem(.unsupportedMediaType, "Send Content-Type: \(accepted), in UTF-8.")
                .with(
                    header: endpoint.method == .patch ? "Accept-Patch" : "Accept-Post",
                    endpoint.contentTypes.joined(separator: ", "))
        }
    }

    private func decoded(_ bytes: [UInt8], encoding: String?) throws -> [UInt8] {
        switch encoding?.lowercased() {
        case nil, "identity": return bytes
        case "gzip":
            do {
                return try Gzip.decompress(bytes, bytesMax: endpoint.bodyBytesMax)
            } catch {
                switch error {
                case .tooLarge: throw tooLarge
                case .notGzip: throw Problem(.malformedRequest, "The body is not gzip, as Content-Encoding says it is.")
                }
            }
        case let other?:
            throw Problem(.unsupportedMediaType, "The encoding \(other.prefix(40)) is not supported. Use gzip or none.")
                .with(header: "Accept-Encoding", "gzip, identity")
        }
    }

    // MARK: After the handler

    private static let vary =
        "Accept, Accept-Encoding, Accept-Language, Authorization, Origin, \(APIVersions.header)"

    /// Adds what every answer has, and compresses what is worth it.
    private func conclude(_ response: inout WireResponse, for request: Request) {
        response.headers += signals.deprecation
        guard response.status < 400, !endpoint.isExchange else { return }
        response.headers.append(HeaderField("Cache-Control", endpoint.cache.header))
        response.headers.append(HeaderField("Vary", Self.vary))
        guard response.body.count >= Self.compressedBytesMin, acceptsGzip(request.headers),
            let compressed = Gzip.compress(response.body)
        else { return }
        response.body = compressed
        response.headers = response.headers.map { field in
            field.name == "ETag" ? HeaderField("ETag", EntityTag.compressed(field.value)) : field
        }
        response.headers.append(HeaderField("Content-Encoding", "gzip"))
    }

    /// Answers 304 where the client has it already.
    private func answerUnchanged(_ response: inout WireResponse, for request: Request) {
        guard response.status == 200, endpoint.method == .get, let tag = response.header("ETag"),
            let known = request.headers[.ifNoneMatch], EntityTag.matches(ifNoneMatch: known, tag)
        else { return }
        response.status = 304
        response.headers.removeAll { ReadyAnswers.aboutContent.contains($0.name.lowercased()) }
        response.body = []
    }

    private func acceptsGzip(_ headers: HTTPFields) -> Bool {
        guard let header = headers[.acceptEncoding] else { return false }
        return RequestReader.qualities(header).contains { $0.value.lowercased() == "gzip" && $0.quality > 0 }
    }
}

extension ReadyAnswers.Key {
    init(_ request: Request) {
        self.init(
            target: request.head.path ?? "", authorization: request.headers[.authorization] ?? "",
            accept: request.headers[.accept] ?? "", language: request.headers[.acceptLanguage] ?? "",
            encoding: request.headers[.acceptEncoding] ?? "")
    }
}

/// Answers methods that a path does not have.
struct MethodNotAllowedResponder: HTTPResponder {
    let allowed: [String]

    func respond(to request: Request, context: APIContext) async throws -> Response {
        let list = allowed.joined(separator: ", ")
        throw Problem(
            .methodNotAllowed,
            "\(context.unknownMethod ?? request.method.rawValue) is not allowed here. Allowed: \(list)."
        )
        .with(header: "Allow", list)
    }
}
