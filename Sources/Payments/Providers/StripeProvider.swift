// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// A provider that speaks Stripe's API: PaymentIntents, confirmed in a second step (docs.stripe.com/api/payment_intents).
///
/// Charging once does not rest on `Idempotency-Key`: an intent is made without being confirmed, its identifier is stored,
/// and only then is it confirmed. An intent can be confirmed, captured and cancelled once, so each of these may be repeated,
/// and after silence its status says what happened.
struct StripeProvider: PaymentProvider {
    let name = "stripe"
    private let settings: StripeSettings
    private let connection: StripeConnection

    init(_ settings: StripeSettings) {
        self.settings = settings
        connection = StripeConnection(address: settings.address, secretKey: settings.secretKey)
    }

    func open(_ request: AuthorizationRequest) async throws -> String {
        guard request.amount.isWhole else {
            throw ProviderFault.refused("\(request.amount) has a fraction of the minor unit.")
        }
        let answer = try await connection.post(
            "/v1/payment_intents",
            [
                ("amount", String(request.amount.minorUnits)),
                ("currency", request.amount.currency.code.lowercased()),
                ("payment_method", request.token), ("payment_method_types[]", "card"),
                ("capture_method", request.capture == .manual ? "manual" : "automatic"),
                ("metadata[payment]", request.key),
            ], key: request.key)
        guard answer.isSuccess, let id = answer.body["id"]?.string else { throw answer.fault }
        return id
    }

    func authorize(_ request: AuthorizationRequest, reference: String) async throws -> PaymentOutcome {
        let returnURL = settings.returnURL.map { [("return_url", $0)] } ?? []
        let answer = try await connection.post("/v1/payment_intents/\(reference)/confirm", returnURL)
        if answer.isSuccess { return StripeIntent(answer.body).outcome }
        if answer.status == 402 { return .declined(StripeIntent.declineReason(answer.body["error"])) }
        guard answer.isRefusal else { throw answer.fault }
        // It may have been confirmed by an attempt whose answer was lost.
        let outcome = try await find(reference: reference)
        if outcome == .notFound { throw answer.fault }
        return outcome
    }

    func find(reference: String) async throws -> PaymentOutcome {
        let answer = try await connection.get("/v1/payment_intents/\(reference)")
        if answer.isSuccess { return StripeIntent(answer.body).outcome }
        if answer.status == 404 { return .notFound }
        throw answer.fault
    }

    func capture(reference: String, amount: Money) async throws {
        let answer = try await connection.post(
            "/v1/payment_intents/\(reference)/capture", [("amount_to_capture", String(amount.minorUnits))])
        if answer.isSuccess { return }
        guard answer.isRefusal, case .captured = try await find(reference: reference) else { throw answer.fault }
    }

    func void(reference: String) async throws {
        let answer = try await connection.post("/v1/payment_intents/\(reference)/cancel", [])
        if answer.isSuccess { return }
        guard answer.isRefusal else { throw answer.fault }
        switch try await find(reference: reference) {
        case .declined, .notFound: return
        case .authorized, .captured, .requiresAction, .unknown: throw answer.fault
        }
    }

    func refund(reference: String, amount: Money, key: String, isRepeated: Bool) async throws {
        if isRepeated, try await hasRefunded(reference: reference, key: key) { return }
        let answer = try await connection.post(
            "/v1/refunds",
            [
                ("payment_intent", reference), ("amount", String(amount.minorUnits)), ("metadata[refund]", key),
            ], key: key)
        guard answer.isSuccess else { throw answer.fault }
    }

    /// Looks for a refund of ours among those of a payment, page by page.
    private func hasRefunded(reference: String, key: String) async throws -> Bool {
        var after = ""
        while true {
            let answer = try await connection.get("/v1/refunds?payment_intent=\(reference)&limit=100\(after)")
            guard answer.isSuccess else { throw answer.fault }
            let refunds = answer.body["data"]?.array ?? []
            if refunds.contains(where: { $0["metadata"]?["refund"]?.string == key }) { return true }
            guard answer.body["has_more"] == .bool(true), let last = refunds.last?["id"]?.string else { return false }
            after = "&starting_after=\(last)"
        }
    }

    func completeAction(reference: String, succeeded: Bool) async throws -> PaymentOutcome {
        try await find(reference: reference)
    }

    func reference(notifiedBy body: [UInt8], signature: String?, at time: Timestamp) throws -> String? {
        guard let secret = settings.notificationSecret, let signature,
            StripeSignature(signature)?.isValid(of: body, secret: secret, at: time) == true
        else { throw PaymentsError.unsignedNotification }
        let object = try? JSON.parse(body)["data"]?["object"]
        guard object?["object"]?.string == "payment_intent" else { return nil }
        return object?["id"]?.string
    }
}
