// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import Identity
import Inventory
import Kernel
import Logging
import NIOCore
import Ordering
import Persistence
import Portal
import Resilience
import Synchronization
import Vitrine
import Web

/// A clock that stands still until a test turns it.
package final class TestClock: Sendable {
    private let time: Mutex<Timestamp>

    package init(_ start: Timestamp = Timestamp(milliseconds: 1_795_300_000_000)) { time = Mutex(start) }

    package var wall: WallClock { WallClock { [self] in time.withLock { $0 } } }

    package func advance(by duration: Duration) {
        time.withLock { $0 = $0.advanced(by: duration) }
    }
}

/// The assembled shop on a database of its own, asked in process: everything but the socket.
package struct TestShop: Sendable {
    package let shop: Shop
    package let clock: TestClock
    package let directory: TestDirectory
    package let key: String
    private let silent = Silence()
    private let responder: any HTTPResponder<APIContext>

    package init(
        clock: TestClock = TestClock(), configure: (inout Configuration) -> Void = { _ in }
    ) async throws {
        self.clock = clock
        directory = try TestDirectory()
        var configuration = try Configuration(environment: [:])
        configuration.dataDirectory = directory.path
        configuration.databaseURL = try TestEngine.current.freshDatabase()
        configuration.identity.passwordCost = .least
        configuration.identity.isSignUpOpen = true
        configure(&configuration)
        shop = try await Shop.open(configuration, clock: clock.wall)
        key = try await shop.identity.administratorKeyAtFirstStart() ?? ""
        responder = shop.makeResponder()
    }

    /// Opens a shop for the length of a test, and checks its books at the end: a test that leaves stock, reservations
    /// or the ledger at odds has found something, whatever it was about.
    package static func run(
        clock: TestClock = TestClock(), configure: (inout Configuration) -> Void = { _ in },
        _ test: (TestShop) async throws -> Void
    ) async throws {
        let shop = try await TestShop(clock: clock, configure: configure)
        do {
            try await test(shop)
            let faults = try await shop.shop.database.read { connection in
                try shop.shop.inventory.audit(in: connection) + shop.shop.ordering.audit(in: connection)
            }
            if !faults.isEmpty { throw BooksDisagree(faults: faults) }
            let unlike = shop.silent.unexplained.withLock { $0 }
            if !unlike.isEmpty { throw ProblemUnlikeItsExample(answers: unlike) }
            let silent = shop.silent.writes.withLock { $0 }
            if !silent.isEmpty { throw ChangedWithoutEvent(writes: silent) }
        } catch {
            await shop.close()
            throw error
        }
        await shop.close()
    }

    package func close() async {
        await shop.close()
        directory.remove()
    }

    package struct BooksDisagree: Error { let faults: [String] }

    /// Every change is an event, whatever a test is about: writes that succeeded and told nobody.
    package struct ChangedWithoutEvent: Error { let writes: Set<String> }

    /// Every problem looks as its page shows it, whatever a test is about: answers with members that the example has not.
    package struct ProblemUnlikeItsExample: Error { let answers: Set<String> }

    private static let standardMembers: Set = ["type", "title", "status", "detail", "code", "request_id", "retryable"]

    private static func unexplained(_ reply: Reply) -> String? {
        guard reply.header("Content-Type") == "application/problem+json", let code = reply.code else { return nil }
        let example = ProblemExamples.all[code.replacing("_", with: "-")]
        let known = standardMembers.union(example?.members.map(\.name) ?? [])
        let others = (reply.json.members ?? []).map(\.name).filter { !known.contains($0) }
        return example == nil || !others.isEmpty ? "\(code) \(others)" : nil
    }

    private final class Silence: Sendable {
        let writes = Mutex<Set<String>>([])
        let unexplained = Mutex<Set<String>>([])
        private let keys = Mutex<Set<String>>([])

        /// Whether a request had the key before; a retry may find everything done.
        func isKnown(key: String) -> Bool { keys.withLock { !$0.insert(key).inserted } }
    }

    private func lastEvent() async throws -> Int64 {
        // The test's own looks meet no faults that it makes.
        try await FaultInjector.$isExempt.withValue(true) {
            // A wire knows no exemption, so that it is looked again.
            for _ in 0..<500 {
                do { return try await eventCount() } catch let error as DatabaseError where error.isUnavailability {
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            return try await eventCount()
        }
    }

    private func eventCount() async throws -> Int64 {
        try await shop.database.read { try $0.first("SELECT COUNT(*) FROM events") { try $0.next(Int64.self) } } ?? 0
    }

    // MARK: Asking

    package func send(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]? = nil, headers extra: [String: String] = [:],
        key: String? = nil, mounting endpoint: Endpoint? = nil
    ) async throws -> Reply {
        let responder: any HTTPResponder<APIContext> =
            if let endpoint { shop.makeResponder(beside: [endpoint]) } else { self.responder }
        let before = method == .get ? 0 : try await lastEvent()
        let reply = try await Self.ask(responder, method, path, body: body, headers: extra, key: key ?? self.key)
        if let unlike = Self.unexplained(reply) { silent.unexplained.withLock { _ = $0.insert(unlike) } }
        // 202 waits for something to happen, and a batch (207) may have refused every line.
        let isRetry = extra["Idempotency-Key"].map { silent.isKnown(key: $0) } ?? false
        // Tokens come and go without the shop's being another one.
        let isToken = ["/oauth/", "/device", "/sign-in", "/account/second-factor"].contains { path.hasPrefix($0) }
        if ![.get, .head, .options].contains(method), !isRetry, !isToken, !path.contains("dry_run="),
            [200, 201, 204].contains(reply.status), reply.header("Idempotent-Replayed") == nil,
            try await lastEvent() == before
        {
            silent.writes.withLock { _ = $0.insert("\(method.rawValue) \(path)") }
        }
        return reply
    }

    /// One exchange with whatever answers.
    package static func ask(
        _ responder: any HTTPResponder<APIContext>, _ method: HTTPRequest.Method, _ path: String, body: [UInt8]? = nil,
        headers extra: [String: String] = [:], key: String
    ) async throws -> Reply {
        var headers = HTTPFields()
        if !key.isEmpty { headers[.authorization] = "Bearer \(key)" }
        if let body {
            headers[.contentType] = method == .patch ? "application/merge-patch+json" : "application/json"
            headers[.contentLength] = String(body.count)
        } else if method != .get {
            headers[.contentLength] = "0"
        }
        for (name, value) in extra {
            guard let name = HTTPField.Name(name) else { continue }
            headers[name] = value.isEmpty ? nil : value
        }
        let request = Request(
            head: HTTPRequest(
                method: method, scheme: "http", authority: "localhost", path: path, headerFields: headers),
            body: RequestBody(buffer: ByteBuffer(bytes: body ?? [])))
        let response = try await responder.respond(to: request, context: APIContext(logger: Logger(label: "test")))
        let bytes = try await response.body.bytes()
        return Reply(status: response.status.code, headers: response.headers, body: bytes)
    }

    package func get(_ path: String, headers: [String: String] = [:]) async throws -> Reply {
        try await send(.get, path, headers: headers)
    }

    package func post(_ path: String, _ body: JSON = [:], headers: [String: String] = [:]) async throws -> Reply {
        try await send(.post, path, body: Array(body.text.utf8), headers: headers)
    }

    package func patch(_ path: String, _ body: JSON, ifMatch: String = "*") async throws -> Reply {
        try await send(.patch, path, body: Array(body.text.utf8), headers: ["If-Match": ifMatch])
    }

    package func put(_ path: String, _ body: JSON, headers: [String: String] = [:]) async throws -> Reply {
        try await send(.put, path, body: Array(body.text.utf8), headers: headers)
    }

    package func delete(_ path: String, ifMatch: String = "*") async throws -> Reply {
        try await send(.delete, path, headers: ["If-Match": ifMatch])
    }
}

/// An answer, whole.
package struct Reply: Sendable {
    package let status: Int
    package let headers: HTTPFields
    package let body: [UInt8]

    package var json: JSON { (try? JSON.parse(body, depthMax: 64)) ?? .null }
    package var text: String { String(decoding: body, as: UTF8.self) }
    /// A text that the answer has; empty where it has not.
    package func text(_ name: String) -> String { json[name]?.string ?? "" }
    package var id: String { json["id"]?.string ?? "" }
    package var code: String? { json["code"]?.string }
    package var items: [JSON] { json["items"]?.array ?? [] }

    package func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
}

extension JSON {
    /// A value deep inside: `json.at("totals", "total", "amount")`; array elements by number.
    package func at(_ path: String...) -> JSON? {
        path.reduce(self) { value, step in
            Int(step).flatMap { number in value?.array.flatMap { $0.indices.contains(number) ? $0[number] : nil } }
                ?? value?[step]
        }
    }
}

extension ResponseBody {
    /// All of it.
    package consuming func bytes() async throws -> [UInt8] {
        let collector = Collector()
        try await write(collector)
        return collector.bytes
    }
}

private final class Collector: ResponseBodyWriter, Sendable {
    private let gathered = Mutex<[UInt8]>([])
    var bytes: [UInt8] { gathered.withLock { $0 } }
    func write(_ buffer: ByteBuffer) async throws {
        gathered.withLock { $0.append(contentsOf: buffer.readableBytesView) }
    }
    func finish(_ trailers: HTTPFields?) async throws {}
}

/// A folder that lives as long as a test.
package struct TestDirectory: Sendable {
    package let path: String

    package init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("vitrine-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    package func remove() { try? FileManager.default.removeItem(atPath: path) }
}
