// SPDX-License-Identifier: Apache-2.0

package import HTTPTypes
package import Kernel
package import RateLimiting

/// A request of a protocol that others have written down, as it came.
package struct Exchange: Sendable {
    package let method: Method
    package let path: String
    package let query: Form
    package let body: [UInt8]
    /// Where it came from, for those who count what goes wrong; nothing on a socket of this machine.
    package let address: ClientAddress?
    private let headers: HTTPFields

    init(_ input: RequestInput) {
        method = input.method
        path = input.path
        query = Form(fields: input.query.map { Form.Field(name: $0.name, value: $0.value) })
        body = input.body
        address = input.address
        headers = input.headers
    }

    /// The field of that name; those of several lines joined by commas (RFC 9110 section 5.3).
    package func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

    /// Each field of that name that was sent.
    package func values(of name: String) -> [String] { HTTPField.Name(name).map { headers[values: $0] } ?? [] }

    /// The body as a form; `nil` where it is none, or is not percent-encoded UTF-8.
    package var form: Form? {
        guard mediaType == "application/x-www-form-urlencoded" else { return nil }
        return Form(bytes: body)
    }

    /// The body as JSON; `nil` where it is none.
    package var json: JSON? {
        guard mediaType == "application/json" else { return nil }
        return try? JSON.parse(body)
    }

    private var mediaType: String? { headers[.contentType]?.prefix { $0 != ";" }.trimmingSpace.lowercased() }

    package func cookie(_ name: String) -> String? { headers.cookie(name) }
}

extension HTTPFields {
    /// The value of a cookie (RFC 6265 section 5.4); the first where there are several.
    package func cookie(_ name: String) -> String? {
        for line in self[values: .cookie] {
            for pair in line.split(separator: ";") {
                let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if parts.count == 2, parts[0] == name { return String(parts[1]) }
            }
        }
        return nil
    }
}

/// Fields of a query or of a form's body, in order. A field without a value counts as missing (RFC 6749 section 3.1).
package struct Form: Sendable {
    package struct Field: Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        /// Reads `name=value`.
        ///
        /// - Returns: `nil` where it is not percent-encoded UTF-8.
        init?(encoded pair: some BidirectionalCollection<UInt8>) {
            let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = PercentEncoding.decode(bytes: pair[..<end]),
                let value = PercentEncoding.decode(bytes: pair[end...].dropFirst())
            else { return nil }
            self.init(name: name, value: value)
        }
    }

    package let fields: [Field]

    package init(fields: [Field]) { self.fields = fields.filter { !$0.value.isEmpty } }

    /// - Returns: `nil` where it is not percent-encoded UTF-8.
    package init?(encoded text: String) { self.init(bytes: Array(text.utf8)) }

    // By bytes, because a token has hundreds of characters, and finding those costs more than all the rest.
    init?(bytes: [UInt8]) {
        var fields: [Field] = []
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            guard let field = Field(encoded: pair) else { return nil }
            fields.append(field)
        }
        self.init(fields: fields)
    }

    package subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The first name that stands there more than once.
    package var repeated: String? {
        var seen: Set<String> = []
        return fields.first { !seen.insert($0.name).inserted }?.name
    }

    /// As it is written in a query.
    package var encoded: String {
        fields.map { PercentEncoding.encode($0.name) + "=" + PercentEncoding.encode($0.value) }.joined(separator: "&")
    }
}
