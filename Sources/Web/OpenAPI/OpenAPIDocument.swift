// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// The OpenAPI 3.1 document of a set of endpoints.
///
/// Everything in it comes from the endpoint values, so it says what the server does.
package struct OpenAPIDocument {
    private let endpoints: [Endpoint]
    private let title: String
    private let version: String
    private let server: String
    private let versions: APIVersions

    package init(endpoints: [Endpoint], title: String, version: String, server: String, versions: APIVersions) {
        self.endpoints = endpoints
        self.title = title
        self.version = version
        self.server = server
        self.versions = versions
    }

    package var json: JSON {
        var schemas = SchemaCollector()
        var paths: [(path: String, operations: [JSON.Member])] = []
        for endpoint in endpoints {
            let member = JSON.Member(endpoint.method.rawValue.lowercased(), operation(endpoint, &schemas))
            if let index = paths.firstIndex(where: { $0.path == endpoint.path }) {
                paths[index].operations.append(member)
            } else {
                paths.append((endpoint.path, [member]))
            }
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": .string(title), "version": .string(version),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": .string(server)]],
            "paths": .object(paths.map { .init($0.path, .object($0.operations)) }),
            "components": [
                "securitySchemes": [
                    "api_key": [
                        "type": "http", "scheme": "bearer", "description": "An API key, as the administrator made it.",
                    ],
                    "oauth2": oauth,
                ],
                "parameters": .object([.init(APIVersions.header, versionParameter)]),
                "headers": .object([.init(APIVersions.header, versionAnswered)]),
                "schemas": .object(
                    ([JSON.Member("Problem", Self.problem)] + schemas.members).sorted { $0.name < $1.name }),
            ],
        ]
    }

    private func operation(_ endpoint: Endpoint, _ schemas: inout SchemaCollector) -> JSON {
        var members: [JSON.Member] = [
            .init("operationId", .string(endpoint.operationID)), .init("summary", .string(endpoint.summary)),
            .init("tags", [.string(Self.tag(endpoint))]),
        ]
        if endpoint.deprecation != nil { members.append(.init("deprecated", true)) }
        schemas.direction = .request
        let parameters = parameters(endpoint, &schemas)
        if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
        if let body = endpoint.body {
            let schema = schemas.reference(to: body)
            members.append(
                .init(
                    "requestBody",
                    [
                        "required": true,
                        "content": .object(endpoint.contentTypes.map { .init($0, ["schema": schema]) }),
                    ]))
        }
        schemas.direction = .answer
        members.append(.init("responses", responses(endpoint, &schemas)))
        switch endpoint.access {
        case .open: members.append(.init("security", []))
        case .key: members.append(.init("security", [["api_key": []], ["oauth2": []]]))
        case .scope(let scope):
            let scopes: JSON = [.string(scope.rawValue)]
            members.append(.init("security", [["api_key": scopes], ["oauth2": scopes]]))
        }
        if endpoint.customers != .none {
            members.append(.init("x-vitrine-customers", .string(endpoint.customers.rawValue)))
        }
        if endpoint.isForPartners { members.append(.init("x-vitrine-partners", true)) }
        members.append(.init("x-vitrine-cost", .integer(Int64(endpoint.cost))))
        return .object(members)
    }

    /// How apps of other developers get tokens; `/.well-known/oauth-authorization-server` says more.
    private var oauth: JSON {
        let scopes = JSON.object(Scope.allCases.map { .init($0.rawValue, .string($0.meaning)) })
        let token: JSON = .string(server + "/oauth/token")
        return [
            "type": "oauth2", "description": "An access token of an app. Every code needs PKCE with S256.",
            "flows": [
                "authorizationCode": [
                    "authorizationUrl": .string(server + "/oauth/authorize"), "tokenUrl": token, "refreshUrl": token,
                    "scopes": scopes,
                ],
                "clientCredentials": ["tokenUrl": token, "scopes": scopes],
            ],
        ]
    }

    private var versionParameter: JSON {
        Self.parameter(
            APIVersions.header, in: "header",
            "The version of the API that the caller was written for; that of its app without, else the oldest.",
            ["type": "string", "enum": .array(versions.releases.map { .string($0.version.description) })])
    }

    private var versionAnswered: JSON {
        ["description": "The version of the API that is spoken.", "schema": ["type": "string", "format": "date"]]
    }

    private static let versionHeaders: JSON =
        .object([.init(APIVersions.header, ["$ref": .string("#/components/headers/\(APIVersions.header)")])])

    /// The first part of the path after the version.
    private static func tag(_ endpoint: Endpoint) -> String {
        let parts = endpoint.path.split(separator: "/").filter { $0 != "v1" }
        return parts.first.map { $0.hasPrefix("openapi") ? "service" : String($0) } ?? "service"
    }

    private func parameters(_ endpoint: Endpoint, _ schemas: inout SchemaCollector) -> [JSON] {
        guard case .object(let form) = endpoint.parameters else { return standardParameters(endpoint) }
        let own: [JSON] = form.fields.map { field in
            let inPath = endpoint.path.contains("{\(field.name)}")
            var members: [JSON.Member] = [
                .init("name", .string(field.name)), .init("in", inPath ? "path" : "query"),
                .init("required", .bool(inPath || field.isRequired)),
            ]
            if !field.about.isEmpty { members.append(.init("description", .string(field.about))) }
            if case .array = field.form, !inPath {
                members += [.init("style", "form"), .init("explode", false)]
            }
            members.append(.init("schema", schemas.schema(field)))
            return .object(members)
        }
        return own + standardParameters(endpoint)
    }

    /// What `RequestReader` reads wherever an endpoint has it.
    private func standardParameters(_ endpoint: Endpoint) -> [JSON] {
        var parameters: [JSON] = []
        if endpoint.isPaged {
            let limit: JSON = [
                "type": "integer", "minimum": 1, "default": .integer(Int64(PageLimits.standard)),
                "description": .string("More than \(PageLimits.largest) counts as \(PageLimits.largest)."),
            ]
            parameters += [
                Self.parameter("limit", "Elements on a page.", limit),
                Self.parameter(
                    "cursor", "From `next` or `prev` of another page.", ["type": "string", "minLength": 1]),
            ]
        }
        if let answer = endpoint.answer {
            parameters.append(
                Self.choice(
                    "fields", "Only these fields, for example `id,title`.",
                    of: FieldSelection.paths(in: endpoint.isPaged ? answer.elements : answer), countMin: 1))
        }
        if !endpoint.expansions.isEmpty {
            parameters.append(Self.choice("expand", "Related things to put inside.", of: endpoint.expansions))
        }
        return parameters + headers(endpoint)
    }

    private func headers(_ endpoint: Endpoint) -> [JSON] {
        var parameters: [JSON] = []
        if let header = endpoint.signatureHeader {
            parameters.append(
                Self.parameter(header, in: "header", "The sender's signature of the body.", ["type": "string"], true))
        }
        if endpoint.method.changes, endpoint.signatureHeader == nil {
            parameters.append(
                Self.parameter(
                    "Idempotency-Key", in: "header",
                    "Makes a retry safe: the same key and request get the same answer for seven days.",
                    [
                        "type": "string", "minLength": 1, "maxLength": 255,
                        "pattern": #"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"#,
                    ]))
        }
        if endpoint.isVersioned {
            parameters.append(["$ref": .string("#/components/parameters/\(APIVersions.header)")])
        }
        if endpoint.requiresPrecondition {
            parameters.append(
                Self.parameter(
                    "If-Match", in: "header", "The ETag of the state to change, or `*`.",
                    ["type": "string", "pattern": .string(EntityTag.listPattern)], true))
        }
        return parameters
    }

    private static func parameter(
        _ name: String, in place: String = "query", _ about: String, _ schema: JSON, _ isRequired: Bool = false
    ) -> JSON {
        [
            "name": .string(name), "in": .string(place), "required": .bool(isRequired), "description": .string(about),
            "schema": schema,
        ]
    }

    /// Some of `names`, separated by commas.
    private static func choice(_ name: String, _ about: String, of names: [String], countMin: Int = 0) -> JSON {
        [
            "name": .string(name), "in": "query", "required": false, "description": .string(about), "style": "form",
            "explode": false,
            "schema": [
                "type": "array", "items": ["type": "string", "enum": .array(names.map { .string($0) })],
                "minItems": .integer(Int64(countMin)),
            ],
        ]
    }

    private func responses(_ endpoint: Endpoint, _ schemas: inout SchemaCollector) -> JSON {
        var success: [JSON.Member] = [.init("description", "Success.")]
        if endpoint.isVersioned { success.append(.init("headers", Self.versionHeaders)) }
        if let answer = endpoint.answer {
            success.append(
                .init(
                    "content", .object([.init(endpoint.answerContentType, ["schema": schemas.reference(to: answer)])])))
        } else if endpoint.status != 204 {
            success.append(.init("content", .object([.init(endpoint.answerContentType, [:])])))
        }
        var members: [JSON.Member] = [.init(String(endpoint.status), .object(success))]
        if endpoint.mayAnswerLater {
            members.append(.init("202", success.described("Taken; what becomes of it is not known yet.")))
        }
        for problem in endpoint.problems {
            let status = String(problem.status)
            guard !members.contains(where: { $0.name == status }) else { continue }
            let same = endpoint.problems.filter { $0.status == problem.status }.map(\.title)
            members.append(.init(status, refusal(same.joined(separator: "; ") + ".", endpoint)))
        }
        members.append(
            .init("default", refusal("A problem (RFC 9457); its `type` is an address that explains it.", endpoint)))
        return .object(members)
    }

    private func refusal(_ about: String, _ endpoint: Endpoint) -> JSON {
        var members: [JSON.Member] = [.init("description", .string(about))]
        if endpoint.isVersioned { members.append(.init("headers", Self.versionHeaders)) }
        members.append(
            .init("content", ["application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]]))
        return .object(members)
    }

    private static let problem: JSON = [
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id", "retryable"],
        "properties": [
            "type": ["type": "string", "format": "uri"], "title": ["type": "string"], "status": ["type": "integer"],
            "detail": ["type": "string"], "code": ["type": "string"], "request_id": ["type": "string"],
            "retryable": ["type": "boolean"],
            "errors": [
                "type": "array",
                "items": [
                    "type": "object", "required": ["pointer", "code", "detail"],
                    "properties": [
                        "pointer": ["type": "string"], "code": ["type": "string"], "detail": ["type": "string"],
                    ],
                ],
            ],
        ],
    ]
}

extension [JSON.Member] {
    fileprivate func described(_ text: String) -> JSON {
        .object(map { $0.name == "description" ? .init("description", .string(text)) : $0 })
    }
}

extension SchemaForm {
    /// What the elements of a page look like.
    fileprivate var elements: SchemaForm {
        if case .object(let page) = self, let items = page.fields.first { items.form } else { self }
    }
}
