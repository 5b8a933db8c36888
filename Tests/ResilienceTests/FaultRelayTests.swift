// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import Resilience

/// Faults to the bytes between a client and a server, over real sockets.
@Suite struct FaultRelayTests {
    private enum Seen: Equatable {
        case answered([UInt8], after: Duration)
        case broken(reset: Bool)
    }

    /// Says back what it is told.
    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(data, promise: nil)
        }
    }

    /// Runs an echo behind a relay for as long as `test` does.
    private func run(_ faults: FaultInjector, _ test: (FaultRelay) async throws -> Void) async throws {
        let echo = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let relay = try await FaultRelay.open(
            at: "wire", to: "127.0.0.1", port: try #require(echo.localAddress?.port), faults)
        try await test(relay)
        await relay.close()
        try await echo.close()
    }

    /// Sends `bytes` on a connection of its own, and waits for as many.
    private func ask(_ relay: FaultRelay, _ bytes: [UInt8], within patience: Duration = .seconds(20)) async throws
        -> Seen?
    {
        let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: relay.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let start = ContinuousClock.now
        return try await withThrowingTaskGroup(of: Seen?.self) { group in
            group.addTask {
                do {
                    return try await client.executeThenClose { inbound, outbound in
                        try await outbound.write(ByteBuffer(bytes: bytes))
                        var answer: [UInt8] = []
                        for try await piece in inbound {
                            answer += piece.readableBytesView
                            if answer.count >= bytes.count {
                                return .answered(answer, after: ContinuousClock.now - start)
                            }
                        }
                        return .broken(reset: false)
                    }
                } catch let error as IOError {
                    return .broken(reset: error.errnoCode == ECONNRESET)
                } catch is ChannelError {
                    return .broken(reset: false)
                }
            }
            group.addTask {
                try await Task.sleep(for: patience)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func plan(_ faults: Fault..., seconds: Int = 600) -> FaultPlan {
        FaultPlan(seed: 3, faults, length: .seconds(seconds))
    }

    @Test func `without a plan all bytes pass as they are, many connections at once`() async throws {
        try await run(FaultInjector()) { relay in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
                        guard case .answered(bytes, _)? = try await ask(relay, bytes) else {
                            Issue.record("connection \(number) was not answered")
                            return
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: [Fault.Kind.error, .reset], ["request", "answer"])
    func `a broken connection is a reset to the client`(kind: Fault.Kind, direction: String) async throws {
        let faults = FaultInjector()
        try await run(faults) { relay in
            faults.begin(plan(Fault(at: "wire", kind, where: ["direction": direction])))
            #expect(try await ask(relay, [1, 2, 3]) == .broken(reset: true))
            faults.end()
            guard case .answered([1, 2, 3], _)? = try await ask(relay, [1, 2, 3]) else {
                Issue.record("it does not go on")
                return
            }
            #expect(faults.made == [1])
        }
    }

    @Test func `bytes come late, slowly, one by one, or mean nothing`() async throws {
        let faults = FaultInjector()
        let half: [String: String] = ["direction": "answer"]
        let kinds: [(Fault.Kind, Int, Duration)] = [
            (.latency(from: .milliseconds(200), to: .milliseconds(200)), 100, .milliseconds(200)),
            (.timeout(.milliseconds(300)), 100, .milliseconds(300)), (.bandwidth(1_000), 400, .milliseconds(400)),
            (.drip(.milliseconds(10)), 30, .milliseconds(300)),
        ]
        try await run(faults) { relay in
            for (kind, count, least) in kinds {
                faults.begin(plan(Fault(at: "wire", kind, where: half)))
                let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
                guard case .answered(bytes, let after)? = try await ask(relay, bytes) else {
                    Issue.record("\(kind) was not answered")
                    continue
                }
                #expect(after >= least, "\(kind)")
            }
            faults.begin(plan(Fault(at: "wire", .wrong, where: half)))
            guard case .answered([254, 253], _)? = try await ask(relay, [1, 2]) else {
                Issue.record("the answer is right")
                return
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a partition holds what is under way, and lets go of it when it ends`() async throws {
        let faults = FaultInjector()
        try await run(faults) { relay in
            faults.begin(plan(Fault(at: "wire", .partition)))
            async let held = ask(relay, [7], within: .seconds(30))
            #expect(try await ask(relay, [8], within: .milliseconds(300)) == nil)
            faults.end()
            guard case .answered([7], let after)? = try await held else {
                Issue.record("what was held is lost")
                return
            }
            #expect(after >= .milliseconds(300))
        }
    }

    @Test func `a server that is not there is a connection that ends`() async throws {
        let relay = try await FaultRelay.open(at: "wire", to: "127.0.0.1", port: 1, FaultInjector())
        guard case .broken? = try await ask(relay, [1]) else {
            Issue.record("nothing answered")
            return
        }
        await relay.close()
    }
}
