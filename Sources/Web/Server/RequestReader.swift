// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import HTTPTypes
internal import Kernel
internal import RateLimiting

/// Reads what is the same in every request: parameters, paging, selection, language, conditions and the idempotency key.
struct RequestReader {
    let endpoint: Endpoint
    let path: String
    let headers: HTTPFields
    let pathParameters: [(name: String, value: String)]
    let query: [(name: String, value: String)]

    /// - Throws: ``Problem`` when the query string cannot be read.
    init(
        endpoint: Endpoint, path: String, query: String?, headers: HTTPFields,
        pathParameters: [(name: String, value: String)]
    ) throws {
        self.endpoint = endpoint
        self.path = path
        self.headers = headers
        self.pathParameters = pathParameters
        self.query = try Self.parse(query ?? "")
    }

    private static let pagingNames: Set = ["limit", "cursor"]
    private static let shapeNames: Set = ["fields", "expand"]

    func call(
        principal: Principal?, requestID: String, services: CallServices, signals: RequestSignals, body: [UInt8],
        method: Method
    ) throws -> Call {
        Call(
            principal: principal, requestID: requestID, accept: headers[.accept], now: services.clock.now(),
            languages: languages,
            expansions: try expansions(), page: try page(services.cursors), precondition: try precondition(),
            selection: try selection(), ticket: try ticket(principal: principal, body: body, method: method),
            services: services, signals: signals)
    }

    func input(body: [UInt8], method: Method, address: ClientAddress?) throws -> RequestInput {
        RequestInput(
            parameters: endpoint.isExchange ? .object([]) : try parameters(), pathNames: pathParameters.map(\.name),
            body: body, method: method, headers: headers, address: address, listAddress: listAddress, query: query,
            path: path)
    }

    // MARK: Parameters

    private static func parse(_ query: String) throws -> [(name: String, value: String)] {
        try query.utf8.split(separator: UInt8(ascii: "&")).map { pair in
            guard let field = Form.Field(encoded: pair) else {
                let start = String(decoding: pair.prefix(60), as: UTF8.self)
                throw Problem(.invalidParameter, "The query string is not percent-encoded UTF-8: \(start)")
            }
            return (field.name, field.value)
        }
    }

    /// Path and query parameters as one JSON object, so that the schema that reads bodies reads them too.
    private func parameters() throws -> JSON {
        guard case .object(let form) = endpoint.parameters else { return .object([]) }
        var members: [JSON.Member] = []
        for (name, value) in pathParameters {
            guard let field = form.fields.first(where: { $0.name == name }) else { continue }
            members.append(.init(name, Self.json(value, as: field.form)))
        }
        var values: [(name: String, values: [String])] = []
        for (name, value) in query where !isStandard(name) {
            if let index = values.firstIndex(where: { $0.name == name }) {
                values[index].values.append(value)
            } else {
                values.append((name, [value]))
            }
        }
        for (name, texts) in values {
            let fields = form.fields.filter { field in !pathParameters.contains { $0.name == field.name } }
            guard let field = fields.first(where: { $0.name == name }) else {
                let known = (fields.map(\.name) + standardNames.sorted()).joined(separator: ", ")
                throw Problem(
                    .invalidParameter,
                    "There is no parameter \(name.prefix(60)) here. Known: \(known.isEmpty ? "none" : known).")
            }
            if case .array(let element, _) = field.form {
                // By scalars: a comma and a mark that combines with it are one character.
                let parts = texts.flatMap { $0.unicodeScalars.split(separator: ",") }
                members.append(.init(name, .array(parts.map { Self.json(String($0), as: element) })))
            } else if texts.count > 1 {
                throw Problem(.invalidParameter, "The parameter \(name) is given \(texts.count) times.")
            } else {
                members.append(.init(name, Self.json(texts[0], as: field.form)))
            }
        }
        return .object(members)
    }

    private static func json(_ text: String, as form: SchemaForm) -> JSON {
        switch form {
        case .integer: Int64(text).map { .integer($0) } ?? .decimal(text)
        case .boolean: text == "true" ? .bool(true) : text == "false" ? .bool(false) : .string(text)
        default: .string(text)
        }
    }

    private var standardNames: Set<String> {
        var names: Set<String> = []
        if endpoint.isPaged { names.formUnion(Self.pagingNames) }
        if endpoint.answer != nil { names.insert("fields") }
        if !endpoint.expansions.isEmpty { names.insert("expand") }
        return names
    }

    private func isStandard(_ name: String) -> Bool { standardNames.contains(name) }

    private func value(of name: String) -> String? {
        standardNames.contains(name) ? query.last { $0.name == name }?.value : nil
    }

    // MARK: Shape and paging

    private func page(_ cursors: CursorCodec) throws -> PageRequest {
        guard endpoint.isPaged else { return PageRequest(limit: PageLimits.standard) }
        var limit = PageLimits.standard
        if let text = value(of: "limit") {
            // Too many digits are too many elements.
            let digits = text.utf8.drop { $0 == UInt8(ascii: "0") }
            let isHuge = digits.count > 18 && digits.allSatisfy { (48...57).contains($0) }
            guard let number = isHuge ? PageLimits.largest : Int(text), number >= 1 else {
                throw Problem(.invalidParameter, "limit must be an integer from 1 to \(PageLimits.largest).")
            }
            limit = min(number, PageLimits.largest)
        }
        guard let cursor = value(of: "cursor") else { return PageRequest(limit: limit) }
        let position = try cursors.decode(cursor, binding: endpoint.operationID + " " + listAddress)
        return PageRequest(limit: limit, position: position)
    }

    /// The list with its filters and sorting, whatever their order; page size and shape may change between pages.
    private var listAddress: String {
        let filters = query.filter { !Self.pagingNames.contains($0.name) && !Self.shapeNames.contains($0.name) }
        return path + "?" + filters.map { "\($0.name)=\($0.value)" }.sorted().joined(separator: "&")
    }

    private func selection() throws -> FieldSelection {
        guard let text = value(of: "fields") else { return .all }
        guard text.contains(where: { $0 != "," }) else {
            throw Problem(.invalidParameter, "fields names none of the answer's fields. Leave it out to get all.")
        }
        let selection = FieldSelection(text)
        var form = endpoint.answer ?? .anyObject
        // In a list, the client chooses among the fields of its elements.
        if endpoint.isPaged, case .object(let page) = form, let items = page.fields.first { form = items.form }
        if let unknown = selection.unknownName(in: form) {
            throw Problem(.invalidParameter, "fields names \(unknown.prefix(60)), which the answer does not have.")
        }
        return selection
    }

    private func expansions() throws -> Set<String> {
        let names = (value(of: "expand") ?? "").split(separator: ",").map(String.init)
        for name in names where !endpoint.expansions.contains(name) {
            let known = endpoint.expansions.joined(separator: ", ")
            throw Problem(.invalidParameter, "expand names \(name.prefix(60)). Known: \(known).")
        }
        return Set(names)
    }

    // MARK: Headers

    /// Primary tags of `Accept-Language` (RFC 9110 section 12.5.4), best first.
    private var languages: [String] {
        guard let header = headers[.acceptLanguage] else { return [] }
        return Self.qualities(header).filter { $0.quality > 0 && $0.value != "*" }.map(\.value)
    }

    /// The elements of a header with `q` values, best first, in order where equal; at most 16.
    static func qualities(_ header: String) -> [(value: String, quality: Double)] {
        let elements = header.split(separator: ",").prefix(16).map { element in
            let parts = element.split(separator: ";").map(\.trimmingSpace)
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            return (value: parts.first ?? "", quality: quality)
        }
        return elements.enumerated().sorted { ($1.element.quality, $0.offset) < ($0.element.quality, $1.offset) }
            .map(\.element)
    }

    private func precondition() throws -> Precondition {
        guard !endpoint.isExchange, let header = headers[.ifMatch] else {
            if endpoint.requiresPrecondition {
                throw Problem(.preconditionRequired, "Send If-Match with the ETag that you read, or If-Match: *.")
            }
            return .none
        }
        guard EntityTag.isList(header) else {
            throw Problem(.malformedRequest, "If-Match takes entity tags in quotes, as ETag shows them, or *.")
        }
        guard let versions = EntityTag.versions(ifMatch: header) else { return .none }
        return .versions(versions)
    }

    private static let idempotencyKey = HTTPField.Name("Idempotency-Key")

    /// Reads the key as a structured string with quotes, as the draft wants it, or bare, as most clients send it.
    private func ticket(principal: Principal?, body: [UInt8], method: Method) throws -> IdempotencyTicket? {
        guard method.changes, !endpoint.isExchange, let name = Self.idempotencyKey, let header = headers[name] else {
            return nil
        }
        var key = header.trimmingSpace
        if key.hasPrefix("\""), case .string(let text)? = (try? StructuredField.item(key))?.value { key = text }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw Problem(.malformedRequest, "Idempotency-Key must be 1 to 255 printable ASCII characters.")
        }
        var hash = SHA256()
        hash.update(data: Array("\(method.rawValue) \(path)?\(listAddress)\n".utf8))
        hash.update(data: body)
        return IdempotencyTicket(
            client: principal?.id ?? "", operation: endpoint.operationID, key: key,
            fingerprint: Base64URL.encode(Array(hash.finalize())),
            sealingKey: endpoint.answersSecret ? Self.sealingKey(headers[.authorization] ?? "") : nil)
    }

    private static func sealingKey(_ credential: String) -> [UInt8] {
        Array(SHA256.hash(data: Array("idempotency record\n\(credential)".utf8)))
    }
}
