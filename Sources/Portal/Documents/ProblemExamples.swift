// SPDX-License-Identifier: Apache-2.0

package import Kernel
internal import Web

/// What an answer of a kind of problem looks like: its words, and every member and field that it may have beside the standard ones.
package struct ProblemExample: Sendable {
    let detail: String
    package let members: [JSON.Member]
    let headers: [HeaderField]

    fileprivate init(_ detail: String, _ members: [JSON.Member] = [], headers: [HeaderField] = []) {
        (self.detail, self.members, self.headers) = (detail, members, headers)
    }

    func problem(of type: ProblemType) -> Problem {
        let problem = headers.reduce(Problem(type, detail)) { $0.with(header: $1.name, $1.value) }
        return members.reduce(problem) { $0.with($1.name, $1.value) }
    }
}

/// By the slug of the problem.
package enum ProblemExamples {
    package static let all: [String: ProblemExample] = toolkit.merging(shop) { own, _ in own }

    private static let faults = JSON.Member(
        "errors",
        [["pointer": "/lines/0/quantity", "code": "out_of_range", "detail": "Must be at least 1."]])
    private static let wait = HeaderField("Retry-After", "2")

    private static let toolkit: [String: ProblemExample] = [
        "malformed-request": .init("Expected a value at byte 17 of the body."),
        "invalid-parameter": .init(
            "limit: Must be a whole number.",
            [.init("errors", [["pointer": "/limit", "code": "invalid_type", "detail": "Must be a whole number."]])]),
        "invalid-cursor": .init("The cursor belongs to another list. Begin again without one."),
        "unsigned-notification": .init("The signature does not fit the body."),
        "unauthenticated": .init(
            "This operation needs an API key or a token. Send Authorization: Bearer <it>.",
            headers: [HeaderField("WWW-Authenticate", "Bearer realm=\"vitrine\"")]),
        "insufficient-scope": .init(
            "This request needs the scope write:orders.", [.init("scope", "write:orders")],
            headers: [
                HeaderField(
                    "WWW-Authenticate",
                    "Bearer realm=\"vitrine\", error=\"insufficient_scope\", scope=\"write:orders\"")
            ]),
        "not-for-customers": .init("This operation is for those who work in the shop."),
        "not-for-partners": .init("This operation is for those who work in the shop."),
        "cost-exceeds-limit": .init("This operation costs more than minute ever lets through at once."),
        "not-found": .init("There is no such order."),
        "method-not-allowed": .init("DELETE is not allowed here.", headers: [HeaderField("Allow", "GET, HEAD, PATCH")]),
        "not-acceptable": .init(
            "There is no version 2024-01-01. Served are 2026-11-27.", [.init("supported_versions", ["2026-11-27"])]),
        "request-timeout": .init("The body did not arrive within 30 s."),
        "idempotency-in-progress": .init(
            "The first request with this key is still being worked on.",
            [.init("order_id", "ord_01k9x3c5v8q2e6m4n7p0r1s2t3")], headers: [wait]),
        "conflict": .init("The SKU A1 belongs to another variant."),
        "external-id-taken": .init(
            "The external_id 4711 is taken.", [.init("existing", "ord_01k9x3c5v8q2e6m4n7p0r1s2t3")]),
        "precondition-failed": .init("It has changed since you read it.", [.init("current_etag", "\"7\"")]),
        "content-too-large": .init("The body may have 1,048,576 bytes."),
        "unsupported-media-type": .init("The body must be application/json."),
        "invalid-body": .init("/lines/0/quantity: Must be at least 1.", [faults]),
        "idempotency-key-reused": .init("The key was used for another request. Use a new one."),
        "precondition-required": .init("Send If-Match with the ETag of the state you mean to change, or *."),
        "quota-exceeded": .init(
            "Too much was asked for under minute. Wait 2 s.",
            [.init("violated-policies", ["minute"]), .init("retryAfter", 2)], headers: [wait]),
        "headers-too-large": .init("The request line and all headers together may have 80 KiB."),
        "internal-error": .init("Something went wrong on our side. It was logged under request_id."),
        "unavailable": .init(
            "The shop has as much to do as it can just now.", [.init("retryAfter", 2)], headers: [wait]),
    ]

    private static let order = JSON.Member("order_id", "ord_01k9x3c5v8q2e6m4n7p0r1s2t3")

    private static let shop: [String: ProblemExample] = [
        "payment-declined": .init(
            "The payment was declined: insufficient_funds.", [.init("reason", "insufficient_funds"), order]),
        "refund-too-large": .init("Of the payment 12.50 are left.", [.init("available", "12.50")]),
        "payment-state": .init("The payment is refunded.", [.init("payment_status", "refunded")]),
        "unknown-reference": .init("There is no category cat_01k9x3c5v8q2e6m4n7p0r1s2t3."),
        "category-in-use": .init("The category has others below it."),
        "customer-erased": .init("The customer's data was erased."),
        "illegal-transition": .init(
            "The order is completed and cannot be cancelled.",
            [.init("state", "completed"), .init("allowed", [])]),
        "cart-not-open": .init("The cart is ordered.", [.init("state", "ordered")]),
        "not-for-sale": .init("/lines/0: A1 has no price in EUR.", [.init("line", 0)]),
        "order-expired": .init("The order was given up before the payment came.", [order]),
        "unknown-customer": .init("There is no customer cus_01k9x3c5v8q2e6m4n7p0r1s2t3."),
        "quantity-not-available": .init(
            "Of the line 1 unit is left.",
            [.init("line_id", "line_01k9x3c5v8q2e6m4n7p0r1s2t3"), .init("available", 1)]),
        "out-of-stock": .init(
            "A1: 3 wanted, 1 available.",
            [
                .init(
                    "lines",
                    [
                        [
                            "variant_id": "var_01k9x3c5v8q2e6m4n7p0r1s2t3", "sku": "A1", "requested": 3,
                            "available": 1,
                        ]
                    ])
            ]),
        "stock-committed": .init("2 units of A1 are spoken for here; that many must stay."),
        "unknown-stock-reference": .init("There is no variant A1."),
        "faults-not-allowed": .init("This process was not started with VITRINE_FAULTS=allowed."),
    ]
}
