// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import NIOHTTP1
import TestSupport
import Testing

@testable import Vitrine

/// The real program, over real sockets, and what happens when it is killed.
@Suite(.serialized) struct ServeTests {
    private func withDirectory(_ test: (String) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await test(directory.path + "/data")
    }

    private func stock(_ client: ShopClient, _ units: Int64) async throws {
        let product: JSON = [
            "title": "Mug", "variants": [["sku": "A1", "prices": [["amount": 1_000, "currency": "GBP"]]]],
        ]
        #expect(try await client.send(.POST, "/v1/products", product).status == 201)
        let location = try await client.send(
            .POST, "/v1/inventory/locations", ["code": "main", "name": "Main", "country": "GB"])
        let delivery: JSON = [
            "location_id": location.json["id"] ?? .null, "reason": "received",
            "lines": [["sku": "A1", "quantity": .integer(units)]],
        ]
        #expect(try await client.send(.POST, "/v1/inventory/adjustments", delivery).status == 201)
    }

    @Test func `the key is shown once, and a stop finishes what was taken`() async throws {
        try await withDirectory { path in
            let (process, address, key) = try await VitrineProcess.serve(path)
            let client = ShopClient(address, key: key)
            try await stock(client, 1)
            let slow: JSON = [
                "currency": "GBP", "lines": [["sku": "A1", "quantity": 1]], "payment": ["card": "sandbox_slow"],
            ]
            async let order = client.send(.POST, "/v1/orders", slow)
            try await Task.sleep(for: .milliseconds(500))
            process.interrupt()
            #expect(try await order.status == 201, "the order was taken before the stop")
            #expect(try await process.exitStatus() == 0)
            let (second, _, again) = try await VitrineProcess.serve(path)
            #expect(again.isEmpty)
            second.interrupt()
            _ = try await second.exitStatus()
        }
    }

    @Test func `what was acknowledged survives a kill, and what was begun is finished or released`() async throws {
        try await withDirectory { path in
            var key = ""
            var acknowledged: Set<String> = []
            for round in 0..<3 {
                let (process, address, shown) = try await VitrineProcess.serve(
                    path, environment: ["VITRINE_RESERVATION_TTL": "1"])
                if round == 0 { key = shown }
                let token = key
                if round == 0 { try await stock(ShopClient(address, key: token), 1_000_000) }
                let answers = await withTaskGroup(of: [String].self) { group in
                    for worker in 0..<8 {
                        group.addTask { await Self.order(address, token, name: "\(round)-\(worker)") }
                    }
                    group.addTask {
                        try? await Task.sleep(for: .seconds(1))
                        process.kill()
                        return []
                    }
                    return await group.reduce(into: []) { $0 += $1 }
                }
                acknowledged.formUnion(answers)
                _ = try await process.exitStatus()
            }
            #expect(acknowledged.count > 30)
            let (process, address, _) = try await VitrineProcess.serve(
                path, environment: ["VITRINE_RESERVATION_TTL": "1"])
            let client = ShopClient(address, key: key)
            var paid: Set<String> = []
            var pending = 1
            for _ in 0..<200 where pending > 0 {
                paid = []
                pending = 0
                try await client.forEachItem("/v1/orders?limit=100&fields=id,status") { order in
                    if order["status"] == "paid" { paid.insert(order["id"]?.string ?? "") }
                    if order["status"] == "pending" { pending += 1 }
                }
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(pending == 0)
            #expect(acknowledged.isSubset(of: paid), "an acknowledged order is lost")
            process.interrupt()
            _ = try await process.exitStatus()
            let check = try await VitrineProcess.run(["check", "--data", path])
            #expect(check.status == 0, "\(check.output)")
        }
    }

    /// Orders until the shop is gone; gives the orders that were acknowledged.
    private static func order(_ address: ShopAddress, _ key: String, name: String) async -> [String] {
        let client = ShopClient(address, key: key)
        var ids: [String] = []
        for number in 0..<10_000 {
            let body: JSON = [
                "currency": "GBP", "lines": [["sku": "A1", "quantity": 1]], "payment": ["card": "sandbox_approve"],
            ]
            let headers = [("Idempotency-Key", "\(name)-\(number)")]
            guard let reply = try? await client.send(.POST, "/v1/orders", body, headers: headers) else { return ids }
            if reply.status == 201, let id = reply.json["id"]?.string { ids.append(id) }
        }
        return ids
    }

    @Test func `slow, oversized and broken requests on a socket get an answer or an end, and the shop lives on`()
        async throws
    {
        try await withDirectory { path in
            let (process, address, key) = try await VitrineProcess.serve(path)
            let client = ShopClient(address, key: key)
            let huge = JSON.string(String(repeating: "x", count: 3_000_000))
            #expect(try await client.send(.POST, "/v1/products", huge).status == 413)
            for text in [
                "GARBAGE\r\n\r\n", "FOO /v1/products HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "y", count: 200_000))\r\n\r\n",
                "POST /v1/products HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nBreaks off",
                """
                POST /v1/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\
                Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n
                """, "\0\u{1}\u{2}", "PROPFIND /v1/products HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            ] {
                let (status, output) = try await Self.netcat(text, address)
                #expect(status == 0)
                let problem = try #require(output.range(of: "\r\n\r\n"), "\(text.prefix(60)): no answer").upperBound
                #expect(output.hasPrefix("HTTP/1.1 4"), "\(text.prefix(60)): \(output.prefix(100))")
                #expect(output.lowercased().contains("content-type: application/problem+json\r\n"), "\(output)")
                let json = try JSON.parse(output[problem...].utf8)
                #expect(json["code"] != nil && json["request_id"] != nil && json["detail"] != nil)
            }
            #expect(try await client.send(.GET, "/v1/products").status == 200)
            process.interrupt()
            #expect(try await process.exitStatus() == 0)
        }
    }

    @Test func `an import that was cut off goes on with its key, and no line is taken twice`() async throws {
        try await withDirectory { path in
            let lines = (0..<6_000).map { #"{"title":"Cup \#($0)","variants":[{"sku":"C\#($0)"}]}"# }
            let bytes = Array(lines.joined(separator: "\n").utf8)
            let send: @Sendable (ShopClient) async throws -> ShopClient.Reply = { client in
                try await client.send(
                    .POST, "/v1/products/import", bytes: bytes,
                    headers: [("Idempotency-Key", "import-1"), ("Content-Type", "application/x-ndjson")])
            }
            let (first, address, key) = try await VitrineProcess.serve(path)
            let client = ShopClient(address, key: key)
            async let cut: ShopClient.Reply? = try? send(client)
            let reader = ShopClient(address, key: key)
            while try await reader.send(.GET, "/v1/products?limit=1").json["items"]?.array?.isEmpty != false {}
            first.kill()
            let answer = await cut
            #expect(answer == nil)
            _ = try await first.exitStatus()

            let (second, again, _) = try await VitrineProcess.serve(path)
            let after = ShopClient(again, key: key)
            let reply = try await send(after)
            let results = reply.json["results"]?.array ?? []
            #expect(reply.status == 207 && results.count == 6_000)
            #expect(results.allSatisfy { $0["status"] == 201 }, "a line that is taken twice would be replaced: 200")
            let replay = try await send(after)
            #expect(replay.json == reply.json)
            second.interrupt()
            #expect(try await second.exitStatus() == 0)
        }
    }

    /// Sends raw bytes with bash and gives what comes back.
    private static func netcat(_ text: String, _ address: ShopAddress) async throws -> (Int32, String) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = [
            "-c", "exec 3<>/dev/tcp/\(address.host)/\(address.port); cat >&3; timeout 5 cat <&3; true",
        ]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try? input.fileHandleForWriting.close()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
