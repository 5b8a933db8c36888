// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

/// What the world does to a server, against the real process: it says what is wrong, stays up, and recovers by itself.
struct AttackTests {
    private static let product: JSON = ["title": "Mug", "variants": [["sku": "M"]]]

    private static func product(_ number: Int) -> JSON {
        [
            "title": .string("Mug \(number)"), "description": .string(String(repeating: "long ", count: 1_000)),
            "variants": [["sku": .string("M\(number)")]],
        ]
    }

    /// Tries until the answer has `status`.
    private func wait(for status: Int, _ ask: () async throws -> ShopClient.Reply) async throws -> ShopClient.Reply {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            if let reply = try? await ask(), reply.status == status { return reply }
            guard ContinuousClock.now < end else { throw Failure(.timedOut, "There was no \(status).") }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    @Test(.enabled(if: TestPostgres.isInstalled, "Postgres is not installed: apt-get install postgresql"))
    func `a Postgres that goes away and comes back costs 503s meanwhile, one line in the log, and no restart`()
        async throws
    {
        let server = try TestPostgres()
        defer { server.stop() }
        let (process, address, key) = try await VitrineProcess.serve("", database: try server.freshDatabase())
        let client = ShopClient(address, key: key)
        let made = try await client.send(.POST, "/v1/products", Self.product)
        #expect(made.status == 201)
        let path = "/v1/products/\(made.json["id"]?.string ?? "")"
        try server.crash()
        let refused = try await wait(for: 503) {
            try await client.send(.PATCH, path, ["title": "Lost"], headers: [("If-Match", "*")])
        }
        #expect(refused.json["code"] == "unavailable" && refused.headers["Retry-After"].first == "1")
        for _ in 0..<20 { #expect(try await client.send(.GET, "/v1/orders").status == 503) }
        try server.restart()
        let back = try await wait(for: 200) {
            try await client.send(.PATCH, path, ["title": "Back"], headers: [("If-Match", "*")])
        }
        #expect(back.json["title"] == "Back")
        #expect(try await client.send(.GET, path).json["title"] == "Back")
        let lines = process.output.split(separator: "\n").filter { $0.contains("vitrine.database") }
        #expect(lines.count { $0.contains("cannot be reached") } == 1, "\(lines)")
        #expect(lines.count { $0.contains("reached again") } == 1, "\(lines)")
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }

    @Test func `a full disk refuses writes, loses nothing, and is forgotten once there is room`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        func shell(_ command: String) throws -> Int32 {
            let process = try Process.run(URL(filePath: "/bin/sh"), arguments: ["-c", command])
            process.waitUntilExit()
            return process.terminationStatus
        }
        guard try shell("mount -t tmpfs -o size=6m tmpfs '\(directory.path)' 2>/dev/null") == 0 else {
            try Test.cancel("A small disk cannot be mounted here; that takes root.")
        }
        defer { _ = try? shell("umount -l '\(directory.path)'") }
        let (process, address, key) = try await VitrineProcess.serve(directory.path)
        let client = ShopClient(address, key: key)
        var kept = 0
        var refused: ShopClient.Reply?
        for number in 0..<2_000 where refused == nil {
            let reply = try await client.send(.POST, "/v1/products", Self.product(number))
            if reply.status == 201 { kept += 1 } else { refused = reply }
        }
        #expect(refused?.status == 503 && refused?.json["code"] == "unavailable", "\(refused?.text ?? "")")
        #expect(kept > 5)
        #expect(try await client.send(.GET, "/v1/products?limit=1").status == 200)
        #expect(try shell("mount -o remount,size=64m '\(directory.path)'") == 0)
        _ = try await wait(for: 201) { try await client.send(.POST, "/v1/products", Self.product(9_999)) }
        var found = 0
        try await client.forEachItem("/v1/products?limit=100&fields=id") { _ in found += 1 }
        #expect(found == kept + 1, "what was acknowledged is there")
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
        #expect(try await VitrineProcess.run(["check", "--data", directory.path]).status == 0)
    }

    @Test func `a data directory that is damaged or not ours is told in one line`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let file = directory.path + "/shop.sqlite"
        try String(repeating: "this is no database ", count: 400).write(toFile: file, atomically: true, encoding: .utf8)
        let damaged = try await VitrineProcess.run(["serve", "--data", directory.path, "--port", "0"])
        #expect(damaged.status != 0 && damaged.output.contains("not a database"), "\(damaged.output)")
        let nowhere = try await VitrineProcess.run(["serve", "--data", "/proc/nowhere", "--port", "0"])
        #expect(nowhere.status != 0 && nowhere.output.contains("VITRINE_DATA"), "\(nowhere.output)")
        let unreachable = try await VitrineProcess.run([
            "serve", "--database", "postgres://nobody@127.0.0.1:1/nothing", "--port", "0",
        ])
        #expect(unreachable.status != 0 && unreachable.output.contains("refused"), "\(unreachable.output)")
        for output in [damaged.output, nowhere.output, unreachable.output] {
            #expect(output.split(separator: "\n").count <= 2, "\(output)")
        }
    }

    @Test func `thousands of idle connections hold up nobody`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        ProcessLimits.raiseFileLimit()
        let (process, address, key) = try await VitrineProcess.serve(directory.path)
        let count = ProcessInfo.processInfo.environment["VITRINE_SOAK"] == "1" ? 10_000 : 2_000
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { break }
            sockets.append(descriptor)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = in_port_t(UInt16(address.port).bigEndian)
            name.sin_addr.s_addr = inet_addr(address.host)
            withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        #expect(sockets.count == count, "this process may not open so many files")
        let client = ShopClient(address, key: key)
        for _ in 0..<20 { #expect(try await client.send(.GET, "/v1/products").status == 200) }
        process.interrupt()
        #expect(try await process.exitStatus() == 0)
    }
}
