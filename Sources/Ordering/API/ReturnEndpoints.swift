// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Payments
internal import Web

extension OrderingModule {
    var returnEndpoints: [Endpoint] {
        [
            .change(
                .post, "/v1/orders/{id}/returns", "createOrderReturn", "Take back goods of an order", status: 201,
                use: createOrderReturn
            ).scope(.writeOrders).mayAnswer(.illegalTransition, .quantityNotAvailable),
            .list("/v1/orders/{id}/returns", "listOrderReturns", "List an order's returns", use: listOrderReturns)
                .scope(.readOrders).forCustomers(.own),
            .change(
                .post, "/v1/returns", "createReturn", "Take back goods whose sale is not on record", status: 201,
                use: createReturn
            ).scope(.importOrders).mayAnswer(.externalIDTaken, .notForSale),
            .list("/v1/returns", "listReturns", "List returns, latest first", use: listReturns).scope(.readOrders),
            .get("/v1/returns/{id}", "getReturn", "Read a return", use: getReturn)
                .scope(.readOrders).forCustomers(.own),
        ]
    }

    private func createOrderReturn(
        _ call: Call, _ path: OrderPath, _ input: OrderReturnInput
    ) async throws -> Answer<ReturnBody> {
        let quantities = try input.lines.quantities()
        return try await deciding(call) { transaction in
            var order = try changing.find(path.id, for: call.reach, if: call.precondition, in: transaction)
            let entry = try returning.receive(
                order: &order, quantities, restock: input.restock, refund: input.refund, reason: input.reason,
                by: call.actor, in: transaction)
            return .created(ReturnBody(entry), at: "/v1/returns/\(entry.id)")
        }
    }

    private func listOrderReturns(_ call: Call, _ path: OrderPath) async throws -> Listing<ReturnBody> {
        let all = try await call.read { connection in
            _ = try changing.find(path.id, for: call.reach, in: connection)
            return try ReturnStore.returns(of: path.id, in: connection)
        }
        return Listing(Page(elements: all.map { ReturnBody($0) }, next: nil, previous: nil))
    }

    private func createReturn(_ call: Call, _: NoBody, _ input: ReturnInput) async throws -> Answer<ReturnBody> {
        let lines = try input.lines.map { try $0.request() }
        return try await call.commit { transaction in
            let entry = try returning.receive(
                externalID: input.externalID, customer: input.customer, currency: input.currency, lines,
                receivedAt: input.receivedAt, restock: input.restock, by: call.actor, in: transaction)
            return .created(ReturnBody(entry), at: "/v1/returns/\(entry.id)")
        }
    }

    private func listReturns(_ call: Call, _ query: ReturnQuery) async throws -> Listing<ReturnBody> {
        let page = try await call.read { try ReturnStore.page(externalID: query.externalID, call.page, in: $0) }
        return Listing(page.map { ReturnBody($0) })
    }

    private func getReturn(_ call: Call, _ path: ReturnPath) async throws -> Answer<ReturnBody> {
        let entry = try await call.read { try ReturnStore.find(path.id, in: $0) }
        guard let entry, call.reach.includes(entry.customer) else {
            throw Problem(.notFound, "There is no such return.")
        }
        return .ok(ReturnBody(entry))
    }
}

struct ReturnPath: WireBody {
    let id: ReturnID
    static let schema = Schema.object("ReturnPath", ReturnPath.init, .required("id", \.id, .id()))
}

struct ReturnQuery: WireBody {
    let externalID: String?
    static let schema = Schema.object(
        "ReturnQuery", ReturnQuery.init, .optional("external_id", \.externalID, .string(1...200)))
}

struct ReturnInput: WireBody {
    let externalID: String?
    let customer: CustomerID?
    let currency: Currency
    let lines: [OrderLineInput]
    let restock: Bool
    let receivedAt: Timestamp?

    static let schema = Schema.object(
        "ReturnInput", ReturnInput.init,
        .optional("external_id", \.externalID, .string(1...200), "Your own number for it; unique."),
        .optional("customer_id", \.customer, .id()), .required("currency", \.currency, .currency),
        .required("lines", \.lines, .array(of: OrderLineInput.schema, countMin: 1, countMax: OrderInput.linesMax)),
        .standard("restock", \.restock, .boolean, true, "Whether the goods can be sold again."),
        .optional("received_at", \.receivedAt, .timestamp))
}

struct ReturnLineBody: WireBody {
    let orderLine: OrderLineID?
    let variant: VariantID
    let sku: String
    let quantity: Int
    let unitPrice: Money
    let total: Money

    static let schema = Schema.object(
        "ReturnLine", ReturnLineBody.init,
        .optional("order_line_id", \.orderLine, .id()), .required("variant_id", \.variant, .id()),
        .required("sku", \.sku, .string()), .required("quantity", \.quantity, .count),
        .required("unit_price", \.unitPrice, .money), .required("total", \.total, .money))
}

struct ReturnBody: WireBody {
    let id: ReturnID
    let order: OrderID?
    let customer: CustomerID?
    let externalID: String?
    let lines: [ReturnLineBody]
    let total: Money
    let receivedAt: Timestamp

    static let schema = Schema.object(
        "Return", ReturnBody.init,
        .required("id", \.id, .id()), .optional("order_id", \.order, .id()),
        .optional("customer_id", \.customer, .id()),
        .optional("external_id", \.externalID, .string()),
        .required("lines", \.lines, .array(of: ReturnLineBody.schema)),
        .required("total", \.total, .money), .required("received_at", \.receivedAt, .timestamp))
}

extension ReturnBody {
    init(_ entry: Return) {
        self.init(
            id: entry.id, order: entry.order, customer: entry.customer, externalID: entry.externalID,
            lines: entry.lines.map { line in
                ReturnLineBody(
                    orderLine: line.orderLine, variant: line.variant, sku: line.sku, quantity: line.quantity,
                    unitPrice: line.unitPrice, total: line.total)
            }, total: entry.total, receivedAt: entry.receivedAt)
    }
}
