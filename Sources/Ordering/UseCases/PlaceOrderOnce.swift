// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Payments
internal import Persistence
internal import Web

/// The three steps of ``PlaceOrder``, with the idempotency record written beside the first and the last: whoever sends the
/// same request again gets the same answer, or drives the same order to its end.
struct PlaceOrderOnce: Sendable {
    let database: Database
    let placing: PlaceOrder
    let payments: PaymentsModule

    /// What to tell the client of an order, in the words of the API.
    enum Reply<Body: WireBody>: Sendable {
        case final(Answer<Body>)
        /// Not stored, because a retry with the same key may find out more.
        case open(Answer<Body>)
        case refused(Problem)
    }

    typealias Describe<Body: WireBody> = @Sendable (Order, [Payment]) -> Reply<Body>

    private enum Step<Body: WireBody>: Sendable {
        case done(Answer<Body>)
        case pay(Order, Payment, isResumed: Bool)
    }

    func place<Body>(
        _ command: PlaceOrder.Command, _ call: Call, _ describe: @escaping Describe<Body>
    ) async throws -> Answer<Body> {
        let step: Step<Body>
        do {
            step = try await database.write { try begin(command, call, describe, in: $0) }
        } catch {
            if case OrderingError.outOfStock = error { OrderingMetrics.outOfStock() }
            return try await call.refuse(error)
        }
        switch step {
        case .done(let answer): return answer
        case .pay(let order, let payment, let isResumed):
            RequestFacts.current?.note("vitrine.order.id", order.id.rawValue)
            if let customer = order.customer { RequestFacts.current?.note("user.id", customer.rawValue) }
            let outcome = try await placing.askForMoney(payment, isResumed: isResumed)
            return try await settle(call, describe) { transaction in
                try placing.settle(order, payment, outcome, by: call.actor, in: transaction)
            }
        }
    }

    /// The customer has taken the second step of a payment.
    func goOn<Body>(
        _ id: OrderID, afterAction succeeded: Bool, _ call: Call, _ describe: @escaping Describe<Body>
    ) async throws -> Answer<Body> {
        let payment = try await database.read { connection in
            guard let order = try OrderStore.find(id, in: connection), call.reach.includes(order.customer) else {
                throw OrderingError.orderNotFound
            }
            return try payments.payments(of: order.id, in: connection).last
        }
        guard let payment else { throw OrderingError.noPayment }
        let outcome = try await payments.completeAction(payment, succeeded: succeeded)
        return try await settle(call, describe) { transaction in
            try placing.settle(id, outcome, by: call.actor, in: transaction)
        }
    }

    private func begin<Body>(
        _ command: PlaceOrder.Command, _ call: Call, _ describe: Describe<Body>, in transaction: Transaction
    ) throws -> Step<Body> {
        switch try call.begin(in: transaction) {
        case .answered(let response): return .done(call.replay(response))
        case .fresh:
            let (order, payment) = try placing.reserve(command, in: transaction)
            guard order.state == .pending, let payment else {
                return .done(try tell(order, payment, call, describe, in: transaction))
            }
            try call.remember(resource: order.id.rawValue, in: transaction)
            return .pay(order, payment, isResumed: false)
        case .begun(let resource):
            guard var order = try OrderStore.find(OrderID(unchecked: resource), in: transaction) else {
                throw OrderingError.orderNotFound
            }
            let payment = try payments.payments(of: order.id, in: transaction).last
            guard order.state == .pending, let payment else {
                return .done(try tell(order, payment, call, describe, in: transaction))
            }
            if let until = order.attemptUntil, call.now < until {
                throw Problem(.inProgress, "The order is being placed; its payment is under way.")
                    .with(header: "Retry-After", "2").with("order_id", .string(resource))
            }
            order.attemptUntil = call.now.advanced(by: PaymentsModule.authorizationTimeMax)
            try OrderStore.update(&order, at: call.now, in: transaction)
            return .pay(order, payment, isResumed: true)
        }
    }

    private func settle<Body>(
        _ call: Call, _ describe: @escaping Describe<Body>,
        _ conclude: @escaping @Sendable (Transaction) throws -> (order: Order, payment: Payment?)
    ) async throws -> Answer<Body> {
        let (answer, isCancelled) = try await database.write { transaction in
            let (order, payment) = try conclude(transaction)
            return (try tell(order, payment, call, describe, in: transaction), order.state == .cancelled)
        }
        // Money that came too late goes back now, or by the chore should the provider be away.
        if isCancelled { await payments.settle() }
        return answer
    }

    private func tell<Body>(
        _ order: Order, _ payment: Payment?, _ call: Call, _ describe: Describe<Body>, in transaction: Transaction
    ) throws -> Answer<Body> {
        switch describe(order, payment.map { [$0] } ?? []) {
        case .final(let answer): try call.finish(answer, in: transaction)
        case .open(let answer): answer
        case .refused(let problem): try call.finish(problem, in: transaction)
        }
    }
}

extension OrderingModule {
    /// Commits a decision about an order, and then moves the money it is about. The decision stands whatever becomes of
    /// that; should the provider be away, the chore goes on.
    func deciding<Body>(
        _ call: Call, _ decide: @escaping @Sendable (Transaction) throws -> Answer<Body>
    ) async throws -> Answer<Body> {
        let answer = try await call.commit(decide)
        await payments.settle()
        return answer
    }
}
