// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Metrics
import ServiceContextModule
import Testing
import Tracing

@testable import Telemetry

@Suite struct LogTests {
    /// What was logged through a pipe, line by line.
    private func lines(
        _ configure: (inout ProcessTelemetry.Configuration) -> Void = { _ in },
        _ body: (ProcessTelemetry) throws -> Void
    ) throws -> [[String: Any]] {
        let pipe = Pipe()
        var configuration = ProcessTelemetry.Configuration(service: "shop", version: "1")
        configuration.logs.descriptor = pipe.fileHandleForWriting.fileDescriptor
        configure(&configuration)
        let telemetry = ProcessTelemetry(configuration)
        try body(telemetry)
        telemetry.finish()
        #expect(telemetry.imbalances == [])
        let account = telemetry.logs.account
        #expect(
            account.produced == account.written + account.heldBack + account.dropped + Int64(account.waiting),
            "every line is somewhere")
        try pipe.fileHandleForWriting.close()
        return try String(decoding: pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            .split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
    }

    @Test func `a line is one JSON object with everything that connects it`() throws {
        var traceID = ""
        let lines = try lines { telemetry in
            let logger = telemetry.logger("shop.orders")
            let span = telemetry.tracer.startSpan("order", context: .topLevel)
            traceID = span.context.trace?.traceID.hex ?? ""
            var context = span.context
            context.correlationID = "cart-9"
            context.baggage = Baggage(header: "plan=gold,token=x")
            ServiceContext.withValue(context) {
                logger.warning("A \"line\"\nwith \u{1}", metadata: ["order": "o1", "n": "\(7)", "list": ["a"]])
            }
            span.end()
        }
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(line["body"] as? String == "A \"line\"\nwith \u{1}")
        #expect(line["severity_text"] as? String == "WARN")
        #expect(line["severity_number"] as? Int == 13)
        #expect(line["trace_id"] as? String == traceID)
        #expect((line["span_id"] as? String)?.count == 16)
        #expect(line["correlation_id"] as? String == "cart-9")
        #expect((line["baggage"] as? [String: String]) == ["plan": "gold", "token": "[redacted]"])
        #expect((line["attributes"] as? [String: Any])?["order"] as? String == "o1")
        #expect((line["resource"] as? [String: Any])?["service.name"] as? String == "shop")
        #expect((line["timestamp"] as? String)?.hasSuffix("Z") == true)
    }

    @Test func `what a request carries is on the records that are sent, as on the lines`() {
        let sink = MemorySink()
        let telemetry = ProcessTelemetry(.init(service: "shop"), sink: sink)
        var context = ServiceContext.topLevel
        context.correlationID = "cart-9"
        context.baggage = Baggage(header: "plan=gold,token=x")
        ServiceContext.withValue(context) { telemetry.logger("shop").error("told") }
        telemetry.logger("shop").error("outside")
        telemetry.finish()
        #expect(
            sink.logs.withLock { $0.map(\.attributes) } == [
                [
                    Attribute("correlation_id", .string("cart-9")),
                    Attribute(
                        "baggage",
                        .map([Attribute("plan", .string("gold")), Attribute("token", .string("[redacted]"))])),
                ], [],
            ])
    }

    @Test(
        arguments: [
            ("paid with 4242 4242 4242 4242 today", "paid with [redacted] today"),
            ("card=4111111111111111,x", "card=[redacted],x"), ("order 4111111111111112 placed", nil),
            ("at 1700000000000 ms", nil), ("Authorization: Bearer abcdefghijkl", "Authorization: Bearer [redacted]"),
            ("key vk_abcdefghijklmnop used", "key [redacted] used"), ("vk_1", nil),
            ("postgres://app:hunter2@db/shop", "postgres://app:[redacted]@db/shop"), ("https://a.example/x:y@z", nil),
            ("eyJhbGciOiJIUzI1NiJ9.e30.abc", "[redacted]"), ("whsec_0123456789", "[redacted]"), ("nothing", nil),
            ("", nil),
        ] as [(String, String?)])
    func `secrets and card numbers are taken out by their pattern`(text: String, expected: String?) {
        #expect(Redaction.redacted(text) == expected)
    }

    @Test func `what is confidential by name or type is not shown`() throws {
        let lines = try lines { telemetry in
            telemetry.logger("a").error(
                "x",
                metadata: [
                    "password": "hunter2", "nested": ["api_key": "abc", "fine": "1"],
                    "wrapped": "\(Confidential("hunter2"))",
                ])
        }
        let attributes = try #require(lines.first?["attributes"] as? [String: Any])
        #expect(attributes["password"] as? String == "[redacted]")
        #expect(attributes["wrapped"] as? String == "[redacted]")
        #expect((attributes["nested"] as? [String: String]) == ["api_key": "[redacted]", "fine": "1"])
    }

    @Test func `levels change while loggers live, and a logger's own level is its own`() throws {
        let lines = try lines { telemetry in
            let relay = telemetry.logger("jobs.relay")
            var copy = relay
            relay.debug("1")
            telemetry.logs.levels.set("jobs", to: .debug)
            relay.debug("2")
            copy.logLevel = .error
            copy.warning("3")
            relay.debug("4")
            telemetry.logs.levels.set("jobs.relay", to: .critical)
            relay.error("5")
            telemetry.logs.levels.set("jobs.relay", to: nil)
            relay.debug("6")
        }
        #expect(lines.map { $0["body"] as? String } == ["2", "4", "6"])
    }

    @Test func `a message that repeats without end is held back and counted`() throws {
        let lines = try lines {
            $0.logs.perSecondMax = 20
        } _: { telemetry in
            let logger = telemetry.logger("a")
            for _ in 0..<1_000 { logger.error("again") }
            logger.error("another")
            let account = telemetry.logs.account
            #expect(account.heldBack >= 900)
        }
        #expect((21...100).contains(lines.count))
        #expect(lines.contains { $0["body"] as? String == "another" })
    }

    @Test func `a reader that does not read costs lines and no time`() throws {
        let pipe = Pipe()
        var configuration = ProcessTelemetry.Configuration(service: "shop")
        configuration.logs.descriptor = pipe.fileHandleForWriting.fileDescriptor
        configuration.logs.bytesMax = 100_000
        configuration.logs.perSecondMax = .max
        let telemetry = ProcessTelemetry(configuration)
        let logger = telemetry.logger("a")
        // Far more than the pipe and the queue hold: whoever waited here would wait for ever.
        for number in 0..<5_000 { logger.info("line", metadata: ["number": "\(number)"]) }
        let account = telemetry.logs.account
        #expect(account.dropped > 3_000)
        #expect(account.produced == 5_000)
        // Read to the end now, so that nothing is written to the descriptor when it is another's.
        while telemetry.logs.account.waiting > 0 { _ = pipe.fileHandleForReading.availableData }
        withExtendedLifetime(pipe) {}
    }
}
