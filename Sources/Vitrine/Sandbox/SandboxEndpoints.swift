// SPDX-License-Identifier: Apache-2.0

internal import Identity
internal import Jobs
internal import Kernel
internal import Synchronization
internal import Web

/// What only a sandbox can do. The OpenAPI document is the shop's, and knows nothing of them; docs/SANDBOX.md does.
struct SandboxEndpoints: Sendable {
    unowned let sandbox: Sandbox
    let shop: Shop
    let clock: SandboxClock

    private static let clockPath = "/v1/sandbox/clock"

    var endpoints: [Endpoint] {
        [
            .get(Self.clockPath, "getSandboxClock", "What time it is in the sandbox", use: getClock).anyKey()
                .forCustomers(.all).uncached(),
            .change(
                .post, Self.clockPath, "advanceSandboxClock", "Move the sandbox's time on, and have happen what is due",
                use: advance
            ).scope(.writeApps).mayAnswer(.conflict),
            .act(
                .post, "/v1/sandbox/reset", "resetSandbox", "Take the sandbox back to its beginning", status: 204,
                use: reset
            ).scope(.writeApps).mayAnswer(.conflict),
            .exchange(
                .post, "/account/sandbox/reset", "resetSandboxByHand", "Take the sandbox back to its beginning"
            ) { _, exchange in
                try await shop.identity.pressed(exchange, needing: .writeApps, then: "/sign-in") {
                    try await sandbox.reset()
                }
            },
        ]
    }

    private func getClock(_ call: Call, _: NoBody) async throws -> Answer<SandboxClockBody> { .ok(time) }

    private func advance(_ call: Call, _: NoBody, _ input: SandboxClockInput) async throws -> Answer<SandboxClockBody> {
        let by = Duration.seconds(input.seconds)
        return try await sandbox.advance(by: by) {
            // A replay of a request moves nothing.
            let isFresh = Atomic(false)
            let answer: Answer<SandboxClockBody> = try await call.commit { transaction in
                try shop.jobs.outbox.publish(
                    "sandbox.clock_advanced", subject: "sandbox", actor: call.actor,
                    ["seconds": .integer(Int64(input.seconds))], in: transaction)
                isFresh.store(true, ordering: .relaxed)
                let ahead = clock.isAhead + by
                return .ok(
                    SandboxClockBody(now: clock.wall.now().advanced(by: by), aheadSeconds: Int(ahead / .seconds(1))))
            }
            return (answer, isFresh.load(ordering: .relaxed))
        }
    }

    private func reset(_ call: Call, _: NoBody) async throws -> Answer<NoBody> {
        try await sandbox.reset()
        return .noContent
    }

    private var time: SandboxClockBody {
        SandboxClockBody(now: clock.wall.now(), aheadSeconds: Int(clock.isAhead / .seconds(1)))
    }
}

struct SandboxClockInput: WireBody {
    let seconds: Int

    static let schema = Schema.object(
        "SandboxClockInput", SandboxClockInput.init,
        .required("advance_seconds", \.seconds, .integer(1...31_536_000), "At most a year at once; it never goes back.")
    )
}

struct SandboxClockBody: WireBody {
    let now: Timestamp
    let aheadSeconds: Int

    static let schema = Schema.object(
        "SandboxClock", SandboxClockBody.init,
        .required("now", \.now, .timestamp),
        .required("ahead_seconds", \.aheadSeconds, .count, "Of the world's time; 0 after a reset."))
}
