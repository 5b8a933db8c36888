// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// One operation of the OpenAPI document, as the reference shows it.
struct Operation: Sendable {
    struct Parameter: Sendable {
        let name: String
        /// `path`, `query` or `header`.
        let place: String
        let isRequired: Bool
        let about: String
        let schema: JSON
    }

    struct Answer: Sendable {
        let status: String
        let about: String
        let schema: JSON?
    }

    let id: String
    let summary: String
    /// The part of the API that it belongs to.
    let part: String
    let method: String
    let path: String
    let isDeprecated: Bool
    let parameters: [Parameter]
    /// What it takes, with its content type.
    let body: (contentType: String, schema: JSON)?
    let answers: [Answer]
    /// `nil` where anybody may ask; empty where any key or token does.
    let scopes: [String]?
    let cost: Int
    /// Whether tokens of customers reach it, for what is theirs.
    let isForCustomers: Bool

    init?(_ json: JSON, method: String, path: String, in document: JSON) {
        guard let id = json["operationId"]?.string else { return nil }
        self.id = id
        self.method = method.uppercased()
        self.path = path
        summary = json["summary"]?.string ?? id
        part = json["tags"]?.array?.first?.string ?? ""
        isDeprecated = json["deprecated"]?.bool ?? false
        parameters = (json["parameters"]?.array ?? []).map { found in
            let shared = found["$ref"]?.string.flatMap { $0.split(separator: "/").last }
            let parameter = shared.flatMap { document["components"]?["parameters"]?[String($0)] } ?? found
            return Parameter(
                name: parameter["name"]?.string ?? "", place: parameter["in"]?.string ?? "",
                isRequired: parameter["required"]?.bool ?? false, about: parameter["description"]?.string ?? "",
                schema: parameter["schema"] ?? .null)
        }
        body = json["requestBody"]?["content"]?.members?.first.map { ($0.name, $0.value["schema"] ?? .null) }
        answers = (json["responses"]?.members ?? []).map { answer in
            Answer(
                status: answer.name, about: answer.value["description"]?.string ?? "",
                schema: answer.value["content"]?.members?.first?.value["schema"])
        }
        let ways = json["security"]?.array ?? []
        scopes = ways.first.map { $0.members?.first?.value.array?.compactMap(\.string) ?? [] }
        cost = json["x-vitrine-cost"]?.integer.map(Int.init) ?? 1
        isForCustomers = json["x-vitrine-customers"] != nil
    }

    /// All of a document, in its order.
    static func all(in document: JSON) -> [Operation] {
        (document["paths"]?.members ?? []).flatMap { path in
            (path.value.members ?? []).compactMap {
                Operation($0.value, method: $0.name, path: path.name, in: document)
            }
        }
    }
}
