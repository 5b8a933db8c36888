// SPDX-License-Identifier: Apache-2.0

import Kernel
import TestSupport
import Testing

@testable import Redis

@Suite(.enabled(if: TestRedis.isInstalled, "Redis is not installed: apt-get install redis-server"))
struct RedisClientTests {
    private func client(
        _ server: TestRedis, path: String = "", scripts: [RedisScript] = [], deadline: Duration = .seconds(5)
    ) async throws -> RedisClient {
        let client = RedisClient(try RedisAddress(server.url + path), scripts: scripts, deadline: deadline)
        await client.settled()
        return client
    }

    /// Until `isDone`, trying again and again.
    private func soon(_ isDone: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while try await !isDone() {
            try #require(ContinuousClock.now < end, "it never came to be")
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test func `each of many callers gets his own answer`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let client = try await client(server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<100 {
                group.addTask {
                    for turn in 0..<50 {
                        let text = String(repeating: "\(caller)-\(turn)\r\n", count: 1 + (caller * turn) % 300)
                        let answer = try await client.call(RedisCommand("ECHO", text))
                        #expect(answer.text == text)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `every kind of answer is read`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let script = RedisScript("return {1, 'two', {3, {-4}}, false, redis.status_reply('fine'), ''}")
        let client = try await client(server, scripts: [script])
        let parts: [RedisValue] = [
            .integer(1), .bytes(Array("two".utf8)), .array([.integer(3), .array([.integer(-4)])]), .null,
            .bytes(Array("fine".utf8)), .bytes([]),
        ]
        #expect(try await client.call(RedisCommand("0"), script: script) == .array(parts))
        let bytes = Array(UInt8.min...UInt8.max)
        var command = RedisCommand("ECHO")
        command.append(bytes)
        #expect(try await client.call(command) == .bytes(bytes))
        await #expect(throws: RedisError.self) { _ = try await client.call(RedisCommand("NONSENSE")) }
    }

    @Test func `a script that Redis has forgotten is sent again`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let script = RedisScript("return ARGV[1]")
        let client = try await client(server, scripts: [script])
        for _ in 0..<3 {
            _ = try await client.call(RedisCommand("SCRIPT", "FLUSH"))
            let answers = try await withThrowingTaskGroup(of: String?.self) { group in
                for turn in 0..<20 {
                    group.addTask { try await client.call(RedisCommand("0", "\(turn)"), script: script).text }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(answers == Set((0..<20).map { "\($0)" }))
        }
    }

    @Test func `who waits too long is told, those behind him at once, and late answers are nobody's`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let client = try await client(server, deadline: .milliseconds(20))
        #expect(try await client.call(RedisCommand("ECHO", "before")).text == "before")
        await #expect(throws: RedisError.timedOut) { _ = try await client.call(RedisCommand("DEBUG", "SLEEP", "0.3")) }
        try await soon { !client.isAnswering }
        await #expect(throws: RedisError.silent) { _ = try await client.call(RedisCommand("ECHO", "meanwhile")) }
        try await soon { client.isAnswering }
        for turn in 0..<20 {
            let answer = try await client.call(RedisCommand("ECHO", "\(turn)"))
            #expect(answer.text == "\(turn)")
        }
    }

    @Test func `a server that has gone is refused at once, and found again`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let client = try await client(server)
        _ = try await client.call(RedisCommand("SET", "a", "1"))
        try server.crash()
        try await soon { !client.isAnswering }
        await #expect(throws: RedisError.self) { _ = try await client.call(RedisCommand("GET", "a")) }
        try server.restart()
        try await soon { client.isAnswering }
        #expect(try await client.call(RedisCommand("GET", "a")) == .null)
    }

    @Test func `a connection on which nothing comes is given up`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let client = try await client(server, deadline: .milliseconds(20))
        _ = try await client.call(RedisCommand("PING"))
        server.freeze()
        try await soon {
            // Beyond a second the connection is closed; another is not answered either.
            do { _ = try await client.call(RedisCommand("PING")) } catch {
                if case .unavailable? = error as? RedisError { return true }
            }
            return false
        }
        server.thaw()
        try await soon { client.isAnswering }
        #expect(try await client.call(RedisCommand("PING")).text == "PONG")
    }

    @Test func `a password and a database are those of the address`() async throws {
        let server = try TestRedis(settings: "--requirepass s3cret")
        defer { server.stop() }
        let stranger = try await client(server)
        await #expect(throws: RedisError.self) { _ = try await stranger.call(RedisCommand("PING")) }
        let text = "redis://:s3cret@127.0.0.1:\(server.port)/3"
        let address = try RedisAddress(text)
        #expect(!"\(address)".contains("s3cret"))
        let client = RedisClient(address, deadline: .seconds(5))
        await client.settled()
        let list = try await client.call(RedisCommand("CLIENT", "LIST")).text ?? ""
        #expect(list.contains("name=vitrine") && list.contains("db=3"))
    }

    @Test func `a client that was closed refuses`() async throws {
        let server = try TestRedis()
        defer { server.stop() }
        let client = try await client(server)
        client.close()
        await #expect(throws: RedisError.unavailable("the client is closed")) {
            _ = try await client.call(RedisCommand("PING"))
        }
    }
}

@Suite struct RedisAddressTests {
    @Test(arguments: [
        ("redis://example.org", RedisAddress.Place.host("example.org", port: 6_379), 0),
        ("redis://10.0.0.1:7000/2", .host("10.0.0.1", port: 7_000), 2),
        ("redis://user:pass@[::1]:7000", .host("::1", port: 7_000), 0),
        ("redis+unix:///run/redis.sock?db=4", .socket(path: "/run/redis.sock"), 4),
    ])
    func `addresses are read`(text: String, place: RedisAddress.Place, database: Int) throws {
        let address = try RedisAddress(text)
        #expect(address.place == place && address.database == database)
    }

    @Test(arguments: [
        "", "example.org", "http://example.org", "rediss://example.org", "redis://", "redis://h/x", "redis://h/-1",
        "redis+unix://",
    ])
    func `what is no address is refused`(text: String) { #expect(throws: Failure.self) { try RedisAddress(text) } }
}
