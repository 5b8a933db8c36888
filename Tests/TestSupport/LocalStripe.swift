// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore
import Payments
import Synchronization

/// localstripe (PyPI), which speaks Stripe's API and ignores idempotency keys, in a process of its own.
package final class LocalStripe: Sendable {
    /// Whether this machine has it; CI always has.
    package static var isInstalled: Bool { Python.isInstalled }

    package let port: Int
    private let process: Mutex<Process>

    package static let notificationSecret = "whsec_of_the_tests"

    package init() async throws {
        let child = Python.process("lossy_stripe.py")
        child.standardInput = Pipe()
        let output = Pipe()
        child.standardOutput = output
        process = Mutex(child)
        try child.run()
        // It says its port when it listens, and nothing when it cannot.
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.prefix { $0.isNumber }) else {
            throw Failure(.unavailable, "localstripe did not start.")
        }
        self.port = port
    }

    package var address: String { "http://127.0.0.1:\(port)" }

    package var settings: StripeSettings {
        StripeSettings(secretKey: "sk_tests", notificationSecret: Self.notificationSecret, address: address)
    }

    /// The settings as a process takes them.
    package var environment: [String: String] {
        [
            "VITRINE_STRIPE_KEY": "sk_tests", "VITRINE_STRIPE_SIGNING_SECRET": Self.notificationSecret,
            "VITRINE_STRIPE_ADDRESS": address,
        ]
    }

    package func stop() {
        process.withLock { process in
            (process.standardInput as? Pipe)?.fileHandleForWriting.closeFile()
            process.waitUntilExit()
        }
    }

    // MARK: What a shop's page and a developer do

    /// A payment method for a test card.
    package func card(_ number: String) async throws -> String {
        let method = try await post(
            "/v1/payment_methods",
            [
                "type": "card",
                "card": ["number": .string(number), "exp_month": 12, "exp_year": 2_040, "cvc": "123"],
            ])
        return method["id"]?.string ?? ""
    }

    /// The customer takes the second step.
    package func authenticate(_ intent: String, secret: String, success: Bool) async throws {
        _ = try await post(
            "/v1/payment_intents/\(intent)/_authenticate",
            ["client_secret": .string(secret), "success": .bool(success)])
    }

    /// Loses the answer to the next request whose path has `match` in it.
    package func loseAnswer(to match: String) async throws {
        _ = try await post("/_config/loss", ["match": .string(match), "count": 1, "early": false])
    }

    /// Loses the next such request itself.
    package func loseRequest(to match: String) async throws {
        _ = try await post("/_config/loss", ["match": .string(match), "count": 1, "early": true])
    }

    /// Loses a share of all answers.
    package func loseAnswers(share: String) async throws {
        _ = try await post("/_config/loss", ["share": .decimal(share)])
    }

    /// Holds every request back for so long before it is done.
    package func setLatency(seconds: Int64) async throws {
        _ = try await post("/_config/loss", ["latency": .integer(seconds)])
    }

    /// Refuses what contains `match` for so many seconds from the first of it on, and says so.
    package func refuse(_ match: String, seconds: Int64) async throws {
        _ = try await post("/_config/loss", ["match": .string(match), "busy": .integer(seconds)])
    }

    /// Tells `url` of what happens, signed, one second later and once.
    package func notify(_ url: String) async throws {
        _ = try await post(
            "/_config/webhooks/tests", ["url": .string(url), "secret": .string(Self.notificationSecret)])
    }

    /// Everything of one kind: `payment_intents`, `refunds`.
    package func all(_ kind: String) async throws -> [JSON] {
        // In pages, because localstripe looks through all charges for each intent that it shows.
        var found: [JSON] = []
        while true {
            let after = found.last?["id"]?.string.map { "&starting_after=\($0)" } ?? ""
            let page = try await get("/v1/\(kind)?limit=100\(after)")
            found += page["data"]?.array ?? []
            guard page["has_more"]?.bool == true else { return found }
        }
    }

    package func get(_ path: String) async throws -> JSON { try await send("GET", path, nil) }

    private func post(_ path: String, _ body: JSON) async throws -> JSON { try await send("POST", path, body) }

    private func send(_ method: String, _ path: String, _ body: JSON?) async throws -> JSON {
        var request = HTTPClientRequest(url: address + path)
        request.method = .init(rawValue: method)
        request.headers.add(name: "Authorization", value: "Bearer sk_tests")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body.text))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 1 << 28)
        return (try? JSON.parse(Array(bytes.readableBytesView), depthMax: 32)) ?? .null
    }
}
