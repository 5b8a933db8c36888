// SPDX-License-Identifier: Apache-2.0

import Resilience
import Testing

@testable import Vitrine

/// Which addresses a process has that may make faults.
@Suite struct WiresTests {
    @Test(arguments: [
        (
            "postgres://ada:secret@db.example:5433/shop?sslmode=verify-full",
            #"postgres://ada:secret@db.example:\d+/shop\?sslmode=verify-full&hostaddr=127.0.0.1"#
        ),
        ("postgres://db/shop", #"postgres://db:\d+/shop\?hostaddr=127.0.0.1"#),
        // A socket's rights would be lost, and what libpq reads elsewhere is left to it.
        ("postgres:///shop?host=/run/postgresql&user=ada", #"postgres:///shop\?host=/run/postgresql&user=ada"#),
        ("postgres://%2Frun%2Fpostgresql/shop", "postgres://%2Frun%2Fpostgresql/shop"),
        ("postgres://db/shop?port=5433", #"postgres://db/shop\?port=5433"#),
        // Several servers are no single wire.
        ("postgres://one,two/shop", "postgres://one,two/shop"),
    ])
    func `libpq is led to the relay, and holds the certificate against the name`(url: String, led: String) async throws
    {
        var configuration = try Configuration(environment: ["VITRINE_FAULTS": "allowed"])
        configuration.databaseURL = url
        let (wired, wires) = try await Wires.laid(in: configuration)
        #expect(try wired.databaseURL?.wholeMatch(of: Regex(led)) != nil, "\(wired.databaseURL ?? "")")
        #expect(wires.edges == (wired.databaseURL == url ? [] : ["database.wire"]))
        #expect(Wires.edges(of: configuration) == wires.edges)
        await wires.cut()
    }

    @Test(arguments: [
        ("redis://:secret@cache:6380/2", #"redis://:secret@127.0.0.1:\d+/2"#),
        ("redis+unix:///run/redis.sock?db=3", #"redis\+unix:///run/redis.sock\?db=3"#),
    ])
    func `Redis is led to the relay, but not from its socket`(url: String, led: String) async throws {
        var configuration = try Configuration(environment: ["VITRINE_FAULTS": "allowed"])
        configuration.limits.redisURL = url
        let (wired, wires) = try await Wires.laid(in: configuration)
        #expect(try wired.limits.redisURL?.wholeMatch(of: Regex(led)) != nil, "\(wired.limits.redisURL ?? "")")
        await wires.cut()
    }

    @Test func `where no faults may be made nothing is led anywhere`() async throws {
        var configuration = try Configuration(environment: [:])
        configuration.databaseURL = "postgres://db/shop"
        let (wired, wires) = try await Wires.laid(in: configuration)
        #expect(wired.databaseURL == "postgres://db/shop" && wires.edges.isEmpty)
    }
}
