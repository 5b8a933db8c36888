// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import Kernel
import Logging
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import RateLimiting

@Suite struct FieldsTests {
    @Test func `every policy is told, and a shadow is not`() throws {
        let clock = HandClock()
        let limiter = try RateLimiter(
            [
                .slidingWindow("burst", limit: 100, per: .seconds(60)),
                RatePolicy("tried", .tokenBucket(limit: 1, window: .seconds(1), burst: 1), isShadow: true),
                .tokenBucket("daily", limit: 1_000, per: .seconds(86_400)), .concurrency("open", limit: 20),
            ], clock: clock.clock)
        let checks = limiter.policyIDs.map { Check($0, LimitKey("c")) }
        _ = limiter.decide(checks)
        let fields = RateLimitFields(limiter.decide(checks), of: limiter, now: 1_700_000_000)
        #expect(
            fields.policy
                == #""burst";q=100;w=60, "daily";q=1000;w=86400, "open";q=20;qu="concurrent-requests""#)
        // What stands in a slot counts until the slot is over; and the rate that a client may read is never above the policy's.
        #expect(fields.limit == #""burst";r=98;t=61, "daily";r=998;t=86228, "open";r=18"#)
        #expect(fields.legacy?.limit == 100 && fields.legacy?.remaining == 98 && fields.legacy?.reset == 1_700_000_061)
    }

    @Test func `whoever keeps to what he is told is never refused, and who waits as he is told is let in`() throws {
        var random = SeededGenerator(seed: 11)
        for seed in 0..<200 {
            let clock = HandClock(Int64.random(in: 0...60_000_000_000, using: &random))
            let limit = [1, 3, 10, 100].randomElement(using: &random) ?? 1
            let window = Duration.seconds([1, 10, 60].randomElement(using: &random) ?? 1)
            let policy: RatePolicy =
                seed % 2 == 0
                ? .slidingWindow("p", limit: limit, per: window) : .tokenBucket("p", limit: limit, per: window)
            let limiter = try RateLimiter([policy], capacity: 64, clock: clock.clock)
            let check = Check(limiter.policyIDs[0], LimitKey("c"))
            var (left, until) = (1, clock.now)
            for _ in 0..<200 {
                if left == 0 { clock.now = until }
                let decision = limiter.decide(check)
                #expect(decision.isAllowed, "seed \(seed)")
                let told = try told(RateLimitFields(decision, of: limiter, now: 0))
                (left, until) = (told.r, clock.now + told.t * 1_000_000_000)
                clock.now += Int64.random(in: 0...2_000_000_000, using: &random) / Int64(limit)
            }
            while limiter.decide(check).isAllowed {}
            let refused = limiter.decide(check)
            let told = try told(RateLimitFields(refused, of: limiter, now: 0))
            let seconds = refused.retryAfterSeconds(of: limiter)
            #expect(told.r == 0 && seconds >= told.t)
            clock.now += seconds * 1_000_000_000
            #expect(limiter.decide(check).isAllowed)
        }
    }

    private func told(_ fields: RateLimitFields) throws -> (r: Int, t: Int64) {
        let list = try StructuredField.list(try #require(fields.limit))
        guard case .item(let item) = list[0], case .integer(let r) = item.parameters["r"],
            case .integer(let t) = item.parameters["t"]
        else { throw CancellationError() }
        return (Int(r), t)
    }

    @Test func `numbers of every length are written as they are`() throws {
        var (numbers, power): ([Int], Int) = ([], 1)
        while power <= RatePolicy.limitMax {
            numbers += [power, 2 * power, 9 * power, 10 * power - 1]
            power *= 10
        }
        for number in numbers where number <= RatePolicy.limitMax {
            let limiter = try RateLimiter([.slidingWindow("p", limit: number, per: .seconds(60))], capacity: 64)
            let decision = limiter.look([Check(limiter.policyIDs[0], LimitKey("c"))])
            let now = Int64(number) * 7_919
            var head = ByteBuffer()
            decision.writeFields(of: limiter, now: now, to: &head)
            #expect(
                String(buffer: head) == """
                    RateLimit-Policy: "p";q=\(number);w=60\r
                    RateLimit: "p";r=\(number);t=60\r
                    X-RateLimit-Limit: \(number)\r
                    X-RateLimit-Remaining: \(number)\r
                    X-RateLimit-Reset: \(now + 60)\r\n
                    """)
        }
    }

    @Test func `the longest fields there are have room`() throws {
        let names = (0..<8).map { number in String(repeating: "abcdefgh", count: 7) + "-policy\(number)" }
        let policies = names.enumerated().map { number, name in
            number == 7
                ? RatePolicy.concurrency(name, limit: RatePolicy.limitMax)
                : .slidingWindow(name, limit: RatePolicy.limitMax, per: .seconds(366 * 86_400))
        }
        let limiter = try RateLimiter(policies, capacity: 64)
        let decision = limiter.look(limiter.policyIDs.map { Check($0, LimitKey("c")) })
        var head = ByteBuffer()
        decision.writeFields(of: limiter, now: Int64.max / 2, to: &head)
        #expect(head.readableBytes > 1_000 && head.readableBytes <= decision.fieldsSizeMax)
    }

    @Test func `clients who are refused together come back spread`() throws {
        let limiter = try RateLimiter([.slidingWindow("p", limit: 1, per: .seconds(60))], clock: HandClock().clock)
        let check = Check(limiter.policyIDs[0], LimitKey("c"))
        _ = limiter.decide(check)
        let refused = limiter.decide(check)
        let earliest = (refused.waitNanoseconds + 999_999_999) / 1_000_000_000
        var counts: [Int64: Int] = [:]
        for _ in 0..<10_000 { counts[refused.retryAfterSeconds(of: limiter), default: 0] += 1 }
        #expect(counts.keys.min() ?? 0 >= earliest)
        #expect(counts.values.max() ?? 0 < 600, "about one in twenty in each second")
    }

    // MARK: The middleware

    private struct Context: RequestContext, RemoteAddressRequestContext {
        var coreContext: CoreRequestContextStorage
        let remoteAddress: SocketAddress?

        init(source: ApplicationRequestContextSource) {
            coreContext = .init(source: source)
            remoteAddress = source.channel.remoteAddress
        }
    }

    private func send(_ responder: some HTTPResponder<Context>, from address: String, _ path: String = "/") async throws
        -> Response
    {
        let channel = EmbeddedChannel()
        try await channel.connect(to: SocketAddress(ipAddress: address, port: 1_000)).get()
        let context = Context(source: .init(channel: channel, logger: Logger(label: "test")))
        let head = HTTPRequest(method: .get, scheme: nil, authority: nil, path: path)
        return try await responder.respond(to: Request(head: head, body: .init(buffer: ByteBuffer())), context: context)
    }

    @Test func `a server takes it with one line`() async throws {
        let router = Router(context: Context.self)
        try router.add(middleware: RateLimitMiddleware(window: .seconds(60), maxRequests: 2, message: "Slowly."))
        router.get("/") { _, _ in "hello" }
        let responder = router.buildResponder()
        for left in ["1", "0"] {
            let response = try await send(responder, from: "192.0.2.1")
            #expect(response.status == .ok)
            #expect(response.headers[HTTPField.Name("X-RateLimit-Remaining")!] == left)
            #expect(response.headers[HTTPField.Name("RateLimit-Policy")!] == #""default";q=2;w=60"#)
        }
        let refused = try await send(responder, from: "192.0.2.1")
        #expect(refused.status == .tooManyRequests)
        #expect(Int(refused.headers[.retryAfter] ?? "") ?? 0 >= 59)
        let body = try JSON.parse(try await refused.body.bytes())
        #expect(body["detail"] == "Slowly." && body["violated-policies"] == ["default"])
        #expect(body["retryAfter"].map { "\($0)" } != nil && body["status"] == 429)
        #expect(try await send(responder, from: "192.0.2.2").status == .ok, "another client is another client")
        #expect(try await send(responder, from: "::ffff:192.0.2.1").status == .tooManyRequests)
    }

    @Test func `what costs more than there ever is is not told to wait`() async throws {
        let limiter = try RateLimiter([.slidingWindow("few", limit: 2, per: .seconds(60))])
        let router = Router(context: Context.self)
        router.add(
            middleware: RateLimitMiddleware(limiter) { _, _ in
                [Check(limiter.policyIDs[0], LimitKey("all"), cost: 3)]
            })
        router.get("/") { _, _ in "hello" }
        let refused = try await send(router.buildResponder(), from: "192.0.2.1")
        #expect(refused.status == .forbidden && refused.headers[.retryAfter] == nil)
    }

    @Test func `a place is given back when the answer is there`() async throws {
        let limiter = try RateLimiter([.concurrency("open", limit: 1)])
        let router = Router(context: Context.self)
        router.add(
            middleware: RateLimitMiddleware(limiter) { _, _ in [Check(limiter.policyIDs[0], LimitKey("all"))] })
        let inner = Gate()
        router.get("/") { _, _ in
            await inner.wait()
            return "hello"
        }
        let responder = router.buildResponder()
        async let first = send(responder, from: "192.0.2.1")
        await inner.arrived()
        #expect(try await send(responder, from: "192.0.2.1").status == .tooManyRequests)
        await inner.open()
        #expect(try await first.status == .ok)
        #expect(try await send(responder, from: "192.0.2.1").status == .ok)
    }
}

/// Holds whoever comes until it is opened.
private actor Gate {
    private var isOpen = false
    private var held: [CheckedContinuation<Void, Never>] = []
    private var watchers: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        guard !isOpen else { return }
        await withCheckedContinuation { continuation in
            held.append(continuation)
            for watcher in watchers { watcher.resume() }
            watchers = []
        }
    }

    func arrived() async {
        guard held.isEmpty else { return }
        await withCheckedContinuation { watchers.append($0) }
    }

    func open() {
        isOpen = true
        for continuation in held { continuation.resume() }
        held = []
    }
}
