// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// One occurrence of a problem, as the client is told of it.
package struct Problem: Error, Sendable {
    package let type: ProblemType
    package let detail: String
    package var errors: [FieldError] = []
    /// Members beside the standard ones, such as what is available of each line.
    package var extensions: [JSON.Member] = []
    package var headers: [HeaderField] = []
    /// What went wrong inside; logged, never shown.
    package var cause: (any Error)?

    package init(_ type: ProblemType, _ detail: String) {
        self.type = type
        self.detail = detail
    }

    package func with(_ name: String, _ value: JSON) -> Problem {
        var copy = self
        copy.extensions.append(.init(name, value))
        return copy
    }

    package func with(errors: [FieldError]) -> Problem {
        var copy = self
        copy.errors = errors
        return copy
    }

    package func with(header name: String, _ value: String) -> Problem {
        var copy = self
        copy.headers.append(HeaderField(name, value))
        return copy
    }

    package func with(cause: any Error) -> Problem {
        var copy = self
        copy.cause = cause
        return copy
    }

    /// The answer in `application/problem+json`.
    package func response(requestID: String, baseURL: String) -> WireResponse {
        var json = JSONWriter()
        json.beginObject()
        json.name("type")
        json.string("\(baseURL)/problems/\(type.slug)")
        json.name("title")
        json.string(type.title)
        json.name("status")
        json.integer(Int64(type.status))
        json.name("detail")
        json.string(detail)
        json.name("code")
        json.string(type.code)
        json.name("request_id")
        json.string(requestID)
        json.name("retryable")
        json.bool(type.isRetryable)
        if !errors.isEmpty {
            json.name("errors")
            json.beginArray()
            for error in errors { Self.write(error, to: &json) }
            json.endArray()
        }
        for member in extensions {
            json.name(member.name)
            json.value(member.value)
        }
        json.endObject()
        return WireResponse(
            status: type.status,
            headers: [
                HeaderField("Content-Type", "application/problem+json"), HeaderField("Content-Language", "en"),
                HeaderField("Cache-Control", "no-store"),
            ] + headers.map { Self.telling($0, baseURL) },
            body: json.bytes)
    }

    /// A challenge names the page that says whose tokens are taken here (RFC 9728 section 5.1).
    private static func telling(_ field: HeaderField, _ baseURL: String) -> HeaderField {
        guard field.name == "WWW-Authenticate" else { return field }
        return HeaderField(
            field.name, "\(field.value), resource_metadata=\"\(baseURL)/.well-known/oauth-protected-resource\"")
    }

    private static func write(_ error: FieldError, to json: inout JSONWriter) {
        json.beginObject()
        json.name("pointer")
        json.string(error.pointer)
        json.name("code")
        json.string(error.code)
        json.name("detail")
        json.string(error.detail)
        json.endObject()
    }
}

/// An error of a slice that knows what the client should be told.
package protocol ProblemConvertible: Error {
    var problem: Problem { get }
}
