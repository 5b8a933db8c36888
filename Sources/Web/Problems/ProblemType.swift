// SPDX-License-Identifier: Apache-2.0

/// A kind of problem that the API answers with (RFC 9457). Its address on the server explains it.
package struct ProblemType: Hashable, Sendable {
    /// The last part of the type's address, and with underscores the stable `code`.
    package let slug: String
    package let status: Int
    package let title: String
    /// What it means and what to do, for the page behind the address.
    package let explanation: String
    /// Whether the same request may succeed later without a change.
    package let isRetryable: Bool

    package init(_ slug: String, _ status: Int, _ title: String, retryable: Bool = false, _ explanation: String) {
        self.slug = slug
        self.status = status
        self.title = title
        self.explanation = explanation
        isRetryable = retryable
    }

    package var code: String { slug.replacing("-", with: "_") }
}

// Problems of the toolkit itself; each slice adds its own in `API/`.
extension ProblemType {
    package static let malformedRequest = ProblemType(
        "malformed-request", 400, "The request is malformed",
        "The body is not JSON of one value in UTF-8, or a header cannot be read. `detail` says where it breaks off.")
    package static let invalidParameter = ProblemType(
        "invalid-parameter", 400, "A parameter is invalid",
        "A query or path parameter is unknown, repeated or out of range. `errors` names each.")
    package static let invalidCursor = ProblemType(
        "invalid-cursor", 400, "The cursor does not fit",
        "A cursor is valid for seven days, on the server that gave it, with the filters and the sorting it was given for. "
            + "Begin again without a cursor.")
    package static let unauthenticated = ProblemType(
        "unauthenticated", 401, "A valid API key or token is needed",
        "Send `Authorization: Bearer <key>`. The key or token may be missing, unknown, revoked or expired.")
    package static let insufficientScope = ProblemType(
        "insufficient-scope", 403, "The key or token lacks a scope",
        "`scope` names what is missing. Ask for a key that has it, or the user for more.")
    package static let notForCustomers = ProblemType(
        "not-for-customers", 403, "Customers cannot do this",
        "The token speaks for a customer, who reaches only their own things and decides only about them. Use a key, or the "
            + "token of somebody who works in the shop.")
    package static let notForPartners = ProblemType(
        "not-for-partners", 403, "Developers from outside the shop cannot do this",
        "Who has signed up as a developer manages the apps of their organisations. What belongs to the shop, an app reaches that "
            + "the shop or a customer has let in.")
    package static let notFound = ProblemType(
        "not-found", 404, "There is nothing here",
        "The address is unknown, or what it names does not exist or was deleted.")
    package static let methodNotAllowed = ProblemType(
        "method-not-allowed", 405, "The method is not allowed here", "The `Allow` header lists the methods that are.")
    package static let notAcceptable = ProblemType(
        "not-acceptable", 406, "The answer has no acceptable form",
        "Answers are `application/json`. Send `Accept: application/json`, `*/*` or no such header. Where it is the version of "
            + "the API that there is not, `supported_versions` lists those that there are.")
    package static let requestTimeout = ProblemType(
        "request-timeout", 408, "The request took too long to arrive", retryable: true,
        "The body must arrive within the time limit. Send it faster or in smaller parts.")
    package static let inProgress = ProblemType(
        "idempotency-in-progress", 409, "The first request with this key is still being worked on", retryable: true,
        "Wait a moment and send the same request again; its answer will be the first one's.")
    package static let conflict = ProblemType(
        "conflict", 409, "Something with the same key exists",
        "A value that must be unique, such as a SKU or a mail address, is taken. `detail` says which.")
    package static let externalIDTaken = ProblemType(
        "external-id-taken", 409, "Something with this external_id exists",
        "`existing` is what has it. If you are repeating an import, it is done already.")
    package static let preconditionFailed = ProblemType(
        "precondition-failed", 412, "It has changed since you read it",
        "`current_etag` is the present state's. Read it again, merge, and send the new ETag in `If-Match`.")
    package static let contentTooLarge = ProblemType(
        "content-too-large", 413, "The body is too large", "`detail` says how large it may be.")
    package static let unsupportedMediaType = ProblemType(
        "unsupported-media-type", 415, "The body has an unsupported form",
        "`detail` lists the content types and encodings that are accepted here.")
    package static let invalidBody = ProblemType(
        "invalid-body", 422, "The body is not valid",
        "The body is JSON, but not what this operation takes. `errors` has a JSON Pointer for each fault. Nothing changed."
    )
    package static let idempotencyMismatch = ProblemType(
        "idempotency-key-reused", 422, "The idempotency key was used for another request",
        "A key belongs to one request for seven days. Use a new key for a new request.")
    package static let preconditionRequired = ProblemType(
        "precondition-required", 428, "The request must be conditional",
        "Send `If-Match` with the ETag of the state you mean to change, or `If-Match: *` to change any.")
    package static let costExceedsLimit = ProblemType(
        "cost-exceeds-limit", 403, "The operation costs more than your limit",
        "Waiting does not help: the limit that `detail` names is lower than the cost. Ask the administrator to raise it."
    )
    package static let quotaExceeded = ProblemType(
        "quota-exceeded", 429, "Too many requests", retryable: true,
        "`violated-policies` names the limits that are used up. Wait as long as `Retry-After` says; the fields `RateLimit` "
            + "of every answer tell what is left. A request that is refused costs nothing.")
    package static let headersTooLarge = ProblemType(
        "headers-too-large", 431, "The headers are too large",
        "The request line and all headers together may have 80 KiB.")
    package static let internalError = ProblemType(
        "internal-error", 500, "Something went wrong on our side", retryable: true,
        "It was logged under `request_id`. With an `Idempotency-Key` it is safe to try again.")
    package static let unavailable = ProblemType(
        "unavailable", 503, "The shop cannot answer just now", retryable: true,
        "A part of it is overloaded or down. Try again after the time in `Retry-After`.")

    /// The problems that any operation may answer with.
    package static let common: [ProblemType] = [
        malformedRequest, invalidParameter, invalidCursor, unauthenticated, insufficientScope, notForCustomers,
        notForPartners,
        notFound, methodNotAllowed, notAcceptable, requestTimeout, inProgress, conflict, externalIDTaken,
        preconditionFailed,
        contentTooLarge,
        unsupportedMediaType, invalidBody, idempotencyMismatch, preconditionRequired, costExceedsLimit, quotaExceeded,
        headersTooLarge,
        internalError, unavailable,
    ]
}
