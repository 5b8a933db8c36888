// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

/// Ready answers over a real socket: the same as the general path's, never older, always in order.
struct ReadyLaneTests {
    private struct Answer: Equatable {
        let status: Int
        let headers: [String: String]
        let body: String

        var isReady: Bool { headers["server-timing"]?.contains("cache;desc=hit") == true }
        /// What does not differ from answer to answer.
        var lasting: Answer {
            Answer(
                status: status,
                headers: headers.filter { !["x-request-id", "date", "server-timing"].contains($0.key) },
                body: body)
        }
    }

    /// One keep-alive connection on which bytes are sent as they are.
    private final class Socket {
        private let descriptor: Int32
        private var received: [UInt8] = []

        init(_ address: ShopAddress) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = in_port_t(UInt16(address.port).bigEndian)
            name.sin_addr.s_addr = inet_addr(address.host)
            let isConnected = withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            guard isConnected else { throw Failure(.unavailable, "no connection") }
        }

        deinit { close(descriptor) }

        func send(_ text: String) {
            _ = Array(text.utf8).withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
        }

        func answer(hasBody: Bool = true) throws -> Answer {
            var end = headEnd
            while end == nil {
                try receive()
                end = headEnd
            }
            let head = String(decoding: received[..<(end ?? 0)], as: UTF8.self).split(separator: "\r\n").map(
                String.init)
            var headers: [String: String] = [:]
            for line in head.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            received.removeFirst(end ?? 0)
            let length = hasBody ? Int(headers["content-length"] ?? "0") ?? 0 : 0
            while received.count < length { try receive() }
            defer { received.removeFirst(length) }
            return Answer(
                status: Int(head[0].split(separator: " ")[1]) ?? 0, headers: headers,
                body: String(decoding: received[..<length], as: UTF8.self))
        }

        private var headEnd: Int? {
            received.withUnsafeBytes { bytes in
                (3..<max(3, bytes.count)).first { bytes[$0] == 10 && bytes[$0 - 2] == 10 && bytes[$0 - 1] == 13 }
                    .map { $0 + 1 }
            }
        }

        private func receive() throws {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw Failure(.unavailable, "the connection ended") }
            received += chunk[..<count]
        }
    }

    private func withShop(_ test: (ShopAddress, String, ShopClient, String) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (process, address, key) = try await VitrineProcess.serve(directory.path)
        let client = ShopClient(address, key: key)
        let product = try await client.send(
            .POST, "/v1/products",
            ["title": "Mug", "variants": [["sku": "M1", "prices": [["amount": 100, "currency": "GBP"]]]]])
        try await test(address, key, client, "/v1/products/\(product.json["id"]?.string ?? "")")
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }

    private func get(_ path: String, _ key: String, _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer \(key)\r\n\(more)\r\n"
    }

    @Test(arguments: [
        "", "Accept-Encoding: gzip\r\n", "Accept-Language: de, en;q=0.5\r\n", "accept: application/json\r\n",
    ])
    func `a ready answer is the general path's, in its form`(fields: String) async throws {
        try await withShop { address, key, _, path in
            let socket = try Socket(address)
            for target in [path, "/v1/products", "/v1/products?q=mug&fields=id", "/v1/categories"] {
                socket.send(get(target, key, fields))
                let general = try socket.answer()
                socket.send(get(target, key, fields))
                let ready = try socket.answer()
                #expect(general.status == 200 && !general.isReady && ready.isReady)
                #expect(general.lasting == ready.lasting, "\(target)")
                #expect(ready.headers["x-request-id"] != general.headers["x-request-id"])
                #expect(ready.headers["date"]?.wholeMatch(of: #/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/#) != nil)
                let tag = try #require(ready.headers["etag"])
                socket.send(get(target, key, fields + "If-None-Match: \(tag)\r\n"))
                let unchanged = try socket.answer()
                #expect(unchanged.status == 304 && unchanged.body.isEmpty && unchanged.isReady)
                #expect(unchanged.headers["etag"] == tag)
            }
        }
    }

    @Test func `what a request asks of versions and of failures is not answered by what is ready`() async throws {
        try await withShop { address, key, _, path in
            let socket = try Socket(address)
            // However ready the answer is: asked until it is, for an earlier one may have been outdated meanwhile.
            for _ in 0..<10 {
                socket.send(get(path, key))
                if try socket.answer().isReady { break }
            }
            for (field, status) in [
                ("Vitrine-Version: 1999-01-01", 406), ("Vitrine-Simulate: latency=1s", 400),
                ("Accept: application/vnd.vitrine+json; version=1999-01-01", 406), ("Vitrine-Version: 2026-11-27", 200),
            ] {
                socket.send(get(path, key, field + "\r\n"))
                let answer = try socket.answer()
                #expect(answer.status == status && !answer.isReady, "\(field)")
            }
            socket.send(get(path, key))
            let ready = try socket.answer()
            #expect(ready.isReady && ready.headers["vitrine-version"] == "2026-11-27")
        }
    }

    @Test func `ready answers count, and end where the limit does`() async throws {
        try await withShop { address, _, client, path in
            let made = try await client.send(
                .POST, "/v1/keys",
                ["name": "app", "scopes": ["read:products"], "units_per_minute": 20], headers: [])
            let key = try #require(made.json["secret"]?.string)
            let socket = try Socket(address)
            var (ready, left) = (0, 20)
            for _ in 0..<20 {
                socket.send(get(path, key))
                let answer = try socket.answer()
                left -= 1
                #expect(answer.status == 200 && answer.headers["x-ratelimit-remaining"] == "\(left)")
                if answer.isReady { ready += 1 }
            }
            #expect(ready >= 18)
            socket.send(get(path, key))
            let refused = try socket.answer()
            #expect(refused.status == 429 && refused.headers["retry-after"] != nil && !refused.isReady)
        }
    }

    @Test func `a limit that is taken out of force, or comes into it, holds for what is ready`() async throws {
        try await withShop { address, _, client, path in
            let made = try await client.send(
                .POST, "/v1/keys", ["name": "app", "scopes": ["read:products"]], headers: [])
            let key = try #require(made.json["secret"]?.string)
            let socket = try Socket(address)
            for isOn in [true, false, true] {
                let changed = try await client.send(
                    .PUT, "/v1/limits/standard", ["limit": 500, "enabled": .bool(isOn)])
                #expect(changed.status == 200)
                var ready = 0
                for _ in 0..<10 {
                    socket.send(get(path, key))
                    let answer = try socket.answer()
                    #expect((answer.headers["ratelimit"]?.contains("\"standard\"") ?? false) == isOn)
                    if answer.isReady { ready += 1 }
                }
                #expect(ready > 0)
            }
        }
    }

    @Test func `what an app is answered from what is ready stands in its log, too`() async throws {
        try await withShop { address, _, client, path in
            let app = try await client.send(.POST, "/v1/apps", ["name": "a", "own_scopes": ["read:products"]])
            let fields = [
                "client_id": app.json["id"]?.string ?? "", "client_secret": app.json["client_secret"]?.string ?? "",
            ]
            let form = fields.map { "&\($0.key)=\($0.value)" }.joined()
            let stranger = ShopClient(address, key: nil)
            let grant = try await stranger.send(
                .POST, "/oauth/token", bytes: Array(("grant_type=client_credentials" + form).utf8),
                headers: [("Content-Type", "application/x-www-form-urlencoded")])
            await stranger.close()
            let token = try #require(grant.json["access_token"]?.string, "\(grant.json)")
            let socket = try Socket(address)
            var (asked, ready): ([String], Int) = ([], 0)
            for _ in 0..<10 {
                socket.send(get(path, token))
                let answer = try socket.answer()
                asked.append(answer.headers["x-request-id"] ?? "")
                ready += answer.isReady ? 1 : 0
            }
            #expect(ready > 5)
            // Written down every second.
            let end = ContinuousClock.now + .seconds(20)
            var kept: Set<String> = []
            repeat {
                try await Task.sleep(for: .milliseconds(200))
                let list = try await client.send(
                    .GET, "/v1/apps/\(fields["client_id"] ?? "")/requests?route=/v1/products/%7Bid%7D")
                kept = Set((list.json["items"]?.array ?? []).compactMap { $0["request_id"]?.string })
            } while !kept.isSuperset(of: asked) && ContinuousClock.now < end
            #expect(kept == Set(asked))
        }
    }

    @Test func `strangers behind a trusted proxy are told apart, and forge nothing`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (process, address, _) = try await VitrineProcess.serve(
            directory.path,
            environment: ["VITRINE_LIMITS": "anonymous=2", "VITRINE_TRUSTED_PROXIES": "127.0.0.0/8 10.0.0.0/8"])
        let client = ShopClient(address, key: "")
        func status(_ forwarded: String) async throws -> Int {
            try await client.send(.GET, "/v1/openapi.json", headers: [("X-Forwarded-For", forwarded)]).status
        }
        var statuses: [Int] = []
        for forwarded in ["1.1.1.1", "2.2.2.2, 1.1.1.1, 10.0.0.9", "9.9.9.9, ::ffff:1.1.1.1", "2.2.2.2"] {
            statuses.append(try await status(forwarded))
        }
        #expect(statuses == [200, 200, 429, 200])
        for _ in 0..<5 { #expect(try await client.send(.GET, "/health/live").status == 200, "probes are not counted") }
        await client.close()
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }

    @Test func `who has changed something never sees what was before`() async throws {
        try await withShop { address, key, client, path in
            let socket = try Socket(address)
            for number in 0..<300 {
                let change = try await client.send(
                    .PATCH, path, ["title": .string("Mug \(number)")], headers: [("If-Match", "*")])
                #expect(change.status == 200)
                for target in [path, "/v1/products?limit=1"] {
                    for _ in 0..<2 {
                        socket.send(get(target, key))
                        #expect(try socket.answer().body.contains("\"Mug \(number)\""))
                    }
                }
            }
        }
    }

    @Test func `a key that is revoked opens nothing more, however hot the answer`() async throws {
        try await withShop { address, key, client, path in
            let made = try await client.send(.POST, "/v1/keys", ["name": "Guest", "scopes": ["read:products"]])
            let (guest, id) = (made.json["secret"]?.string ?? "", made.json["id"]?.string ?? "")
            let socket = try Socket(address)
            for _ in 0..<3 {
                socket.send(get(path, guest))
                #expect(try socket.answer().status == 200)
            }
            #expect(try await client.send(.DELETE, "/v1/keys/\(id)").isSuccess)
            socket.send(get(path, guest))
            #expect(try socket.answer().status == 401)
            socket.send(get(path, key))
            #expect(try socket.answer().status == 200)
        }
    }

    @Test func `answers keep the order of their requests, whatever is mixed`() async throws {
        try await withShop { address, key, _, path in
            let body = #"{"currency":"GBP"}"#
            let slow =
                "POST /v1/carts HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer \(key)\r\n"
                + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            let socket = try Socket(address)
            // One at a time: after a write the connection is fit for ready answers again.
            for _ in 0..<3 {
                socket.send(slow)
                #expect(try socket.answer().status == 201)
                socket.send(get(path, key))
                _ = try socket.answer()
                socket.send(get(path, key))
                #expect(try socket.answer().isReady)
            }
            // Sent at once, and in pieces that end anywhere.
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<20 {
                let pipelined = try Socket(address)
                var wanted: [Int] = []
                var bytes = ""
                for _ in 0..<8 {
                    let isWrite = Bool.random(using: &generator)
                    bytes += isWrite ? slow : get(path, key)
                    wanted.append(isWrite ? 201 : 200)
                }
                while !bytes.isEmpty {
                    let piece = bytes.prefix(Int.random(in: 1...400, using: &generator))
                    pipelined.send(String(piece))
                    bytes.removeFirst(piece.count)
                }
                #expect(try wanted.map { _ in try pipelined.answer().status } == wanted)
            }
        }
    }

    @Test func `heads that are in the least unusual go the general way`() async throws {
        try await withShop { address, key, _, path in
            let usual = get(path, key)
            for _ in 0..<2 {
                let socket = try Socket(address)
                socket.send(usual)
                _ = try socket.answer()
            }
            for unusual in [
                usual.replacing("GET ", with: "HEAD "), usual.replacing("HTTP/1.1", with: "HTTP/1.0"),
                usual.replacing("Host: shop\r\n", with: ""),
                usual.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n"),
                usual.replacing("\r\n\r\n", with: "\r\nContent-Length: 0\r\n\r\n"),
                usual.replacing("\r\n\r\n", with: "\r\nAccept:\r\n\r\n"),
                usual.replacing("\r\n\r\n", with: "\r\nHost: other\r\n\r\n"),
                usual.replacing("Bearer \(key)", with: "Bearer \(key)x"),
                usual.replacing("\(path) ", with: "\(path)? "),
            ] {
                let socket = try Socket(address)
                socket.send(unusual)
                #expect(try !socket.answer(hasBody: !unusual.hasPrefix("HEAD")).isReady, "\(unusual)")
            }
        }
    }
}
