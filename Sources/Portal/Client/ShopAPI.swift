// SPDX-License-Identifier: Apache-2.0

package import Kernel
package import Web

/// One question to the API, and what it says.
package struct ShopAPI: Sendable {
    /// Asks the API of this process as a client would.
    package typealias Ask =
        @Sendable (_ method: Method, _ path: String, _ body: JSON?, _ fields: [HeaderField]) async throws -> Reply

    package struct Reply: Sendable {
        package let status: Int
        package let entityTag: String?
        package let json: JSON

        package init(status: Int, entityTag: String?, json: JSON) {
            self.status = status
            self.entityTag = entityTag
            self.json = json
        }

        var isDone: Bool { (200..<300).contains(status) }

        /// What is wrong, in words for people.
        var trouble: String? {
            isDone ? nil : json["detail"]?.string ?? json["title"]?.string ?? "The shop answered \(status)."
        }

        subscript(name: String) -> String { json[name]?.string ?? "" }

        var items: [JSON] { json["items"]?.array ?? [] }
    }

    let ask: Ask
    let principal: Principal

    func get(_ path: String) async throws -> Reply { try await send(.get, path) }

    func send(
        _ method: Method, _ path: String, _ body: JSON? = nil, ifMatch tag: String? = nil
    ) async throws -> Reply {
        let fields = tag.map { [HeaderField("If-Match", $0)] } ?? []
        return try await Acting.$principal.withValue(principal) { try await ask(method, path, body, fields) }
    }
}
