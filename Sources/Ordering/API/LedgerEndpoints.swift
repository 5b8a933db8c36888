// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Web

extension OrderingModule {
    var ledgerEndpoints: [Endpoint] {
        [
            .get("/v1/ledger", "getLedger", "Read the sums of the sales ledger in a currency", use: getLedger)
                .scope(.readOrders),
            .list("/v1/ledger/entries", "listLedgerEntries", "List bookings, latest first", use: listEntries)
                .scope(.readOrders),
            .change(
                .post, "/v1/ledger/adjustments", "createLedgerAdjustment",
                "Book a correction that is no sale and no credit", status: 201, use: createAdjustment
            ).scope(.importOrders).mayAnswer(.externalIDTaken),
        ]
    }

    private func getLedger(_ call: Call, _ query: LedgerQuery) async throws -> Answer<LedgerBody> {
        let summary = try await call.read { try LedgerStore.summary(in: query.currency, connection: $0) }
        return .ok(
            LedgerBody(
                sales: summary.sales, credits: summary.credits, adjustments: summary.adjustments,
                net: try summary.net(), entries: summary.entries))
    }

    private func listEntries(_ call: Call, _: NoBody) async throws -> Listing<LedgerEntryBody> {
        let page = try await call.read { try LedgerStore.page(call.page, in: $0) }
        return Listing(
            page.map { entry in
                LedgerEntryBody(
                    id: entry.id, kind: entry.kind, amount: entry.amount, reference: entry.reference,
                    reason: entry.reason, occurredAt: entry.occurredAt)
            })
    }

    private func createAdjustment(
        _ call: Call, _: NoBody, _ input: LedgerAdjustmentInput
    ) async throws -> Answer<LedgerBody> {
        try await call.commit { transaction in
            try LedgerStore.book(
                .adjustment, input.amount, about: input.externalID, externalID: input.externalID, reason: input.reason,
                occurredAt: input.occurredAt ?? call.now, bookedAt: call.now, in: transaction)
            try outbox.publish(
                "ledger.adjusted", subject: input.externalID, actor: call.actor,
                ["amount": .string(input.amount.decimal), "currency": .string(input.amount.currency.code)],
                in: transaction)
            let summary = try LedgerStore.summary(in: input.amount.currency, connection: transaction)
            let body = LedgerBody(
                sales: summary.sales, credits: summary.credits, adjustments: summary.adjustments,
                net: try summary.net(), entries: summary.entries)
            return .created(body, at: "/v1/ledger?currency=\(input.amount.currency)")
        }
    }
}

struct LedgerQuery: WireBody {
    let currency: Currency
    static let schema = Schema.object("LedgerQuery", LedgerQuery.init, .required("currency", \.currency, .currency))
}

struct LedgerAdjustmentInput: WireBody {
    let externalID: String
    let amount: Money
    let reason: String
    let occurredAt: Timestamp?

    static let schema = Schema.object(
        "LedgerAdjustmentInput", LedgerAdjustmentInput.init,
        .required("external_id", \.externalID, .string(1...200), "Your own number for it; unique."),
        .required("amount", \.amount, .money, "Positive or negative."),
        .required("reason", \.reason, .string(1...300)), .optional("occurred_at", \.occurredAt, .timestamp))
}

struct LedgerBody: WireBody {
    let sales: Money
    let credits: Money
    let adjustments: Money
    let net: Money
    let entries: Int

    static let schema = Schema.object(
        "Ledger", LedgerBody.init,
        .required("sales", \.sales, .money), .required("credits", \.credits, .money, "Negative."),
        .required("adjustments", \.adjustments, .money), .required("net", \.net, .money, "The sum of the three."),
        .required("entries", \.entries, .count))
}

struct LedgerEntryBody: WireBody {
    let id: LedgerEntryID
    let kind: LedgerEntry.Kind
    let amount: Money
    let reference: String
    let reason: String?
    let occurredAt: Timestamp

    static let schema = Schema.object(
        "LedgerEntry", LedgerEntryBody.init,
        .required("id", \.id, .id()), .required("kind", \.kind, .word), .required("amount", \.amount, .money),
        .required("reference", \.reference, .string(), "The order, return or correction it is about."),
        .optional("reason", \.reason, .string()), .required("occurred_at", \.occurredAt, .timestamp))
}
