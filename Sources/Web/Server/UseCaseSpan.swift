// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import ServiceContextModule
internal import Tracing

/// The span of what a request is for, without what is common to all requests: named `order.place`, after the operation
/// `placeOrder`. Only changes have one; reading is the span of its statements.
struct UseCaseSpan: Sendable {
    let name: String

    init(operationID: String) {
        var words: [String] = [""]
        for character in operationID {
            if character.isUppercase { words.append("") }
            words[words.count - 1].append(contentsOf: character.lowercased())
        }
        name = words.dropFirst().joined(separator: "_") + "." + words[0]
    }

    func run<Result>(_ body: () async throws -> Result) async throws -> Result {
        guard ServiceContext.current != nil else { return try await body() }
        let span = startSpan(name)
        defer { span.end() }
        do {
            return try await ServiceContext.withValue(span.context) { try await body() }
        } catch {
            let problem = Problem(describing: error)
            span.attributes["error.type"] = problem.type.code
            // What the client did wrong is no error of the server.
            if problem.type.status >= 500 {
                span.recordError(error)
                span.setStatus(.init(code: .error))
            }
            throw error
        }
    }
}
