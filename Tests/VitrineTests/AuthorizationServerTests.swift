// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

/// The authorization server in processes of its own: foreign clients, kills, and two on one database.
struct AuthorizationServerTests {
    @Test(.enabled("make test brings the clients") { Python.isInstalled })
    func `clients of other people's making pass as they are, and a browser through the whole flow`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (shop, address, key) = try await VitrineProcess.serve(directory.path)
        defer { shop.kill() }
        let run = try await Python.run("oauth.py", ["http://\(address.host):\(address.port)", key])
        #expect(run.status == 0, "\(run.output.suffix(3_000)) \(run.errors.suffix(3_000))")
    }

    private struct TestApp {
        let id: String
        let secret: String

        static func register(_ client: ShopClient) async throws -> TestApp {
            let made = try await client.send(
                .POST, "/v1/apps",
                ["name": "a", "own_scopes": ["read:products", "introspect:tokens"], "tier": "trusted"])
            return TestApp(
                id: made.json["id"]?.string ?? "", secret: made.json["client_secret"]?.string ?? "")
        }

        func ask(_ address: ShopAddress, _ path: String, _ fields: [String: String]) async throws -> (Int, JSON) {
            let client = ShopClient(address, key: nil)
            let all = fields.merging(["client_id": id, "client_secret": secret]) { $1 }
            let form = all.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
            do {
                let reply = try await client.send(
                    .POST, path, bytes: Array(form.utf8),
                    headers: [("Content-Type", "application/x-www-form-urlencoded")])
                await client.close()
                return (reply.status, reply.json)
            } catch {
                await client.close()
                throw error
            }
        }

        func token(_ address: ShopAddress) async throws -> String {
            try await ask(address, "/oauth/token", ["grant_type": "client_credentials"]).1["access_token"]?.string ?? ""
        }

        func isActive(_ token: String, _ address: ShopAddress) async throws -> Bool? {
            try await ask(address, "/oauth/introspect", ["token": token]).1["active"]?.bool
        }
    }

    @Test(arguments: TestEngine.available)
    func `no revocation that was acknowledged is lost, whenever the process is killed`(engine: TestEngine) async throws
    {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let url = try engine.freshDatabase()
        var (shop, address, key) = try await VitrineProcess.serve(directory.path, database: url)
        let client = ShopClient(address, key: key)
        let app = try await TestApp.register(client)
        await client.close()
        var (revoked, kept): (Set<String>, Set<String>) = ([], [])
        for round in 0..<3 {
            var tokens: [String] = []
            for _ in 0..<40 { tokens.append(try await app.token(address)) }
            kept.formUnion(tokens.suffix(5))
            // An app that is taken out ends with all its tokens.
            let remover = ShopClient(address, key: key)
            let other = try await TestApp.register(remover)
            let orphan = try await other.token(address)
            let process = shop
            // Killed in the middle of many.
            async let removal = try? remover.send(.DELETE, "/v1/apps/\(other.id)").status
            let acknowledged = try await withThrowingTaskGroup(of: String?.self) { group in
                for (number, token) in tokens.dropLast(5).enumerated() {
                    group.addTask { [address] in
                        let answer = try? await app.ask(address, "/oauth/revoke", ["token": token])
                        if number == 20 + round { process.kill() }
                        return answer?.0 == 200 ? token : nil
                    }
                }
                return try await group.reduce(into: Set<String>()) { if let token = $1 { $0.insert(token) } }
            }
            #expect(!acknowledged.isEmpty)
            revoked.formUnion(acknowledged)
            if await removal == 204 { revoked.insert(orphan) }
            await remover.close()
            _ = try await shop.exitStatus()
            // Tokens name their issuer, so it comes back where it was.
            (shop, address, _) = try await VitrineProcess.serve(directory.path, database: url, port: address.port)
            for token in revoked { #expect(try await app.isActive(token, address) == false) }
            for token in kept { #expect(try await app.isActive(token, address) == true) }
        }
        shop.kill()
    }

    @Test(.enabled(if: TestPostgres.isInstalled, "Postgres is not installed: apt-get install postgresql"))
    func `what one process ends, another on the same database soon refuses`() async throws {
        let url = try TestPostgres.shared.get().freshDatabase()
        let environment = ["VITRINE_PUBLIC_URL": "http://shop.example"]
        let (first, here, key) = try await VitrineProcess.serve("", database: url, environment: environment)
        defer { first.kill() }
        let (second, there, _) = try await VitrineProcess.serve("", database: url, environment: environment)
        defer { second.kill() }
        let client = ShopClient(here, key: key)
        for round in 0..<6 {
            let app = try await TestApp.register(client)
            let made = try await client.send(
                .POST, "/v1/keys", ["name": "k", "scopes": ["read:products"], "tier": "trusted"])
            let issued = try await app.token(round.isMultiple(of: 2) ? here : there)
            let token = round < 4 ? issued : made.json["secret"]?.string ?? ""
            let visitor = ShopClient(there, key: token)
            #expect(try await visitor.send(.GET, "/v1/products?limit=1").status == 200)
            // An app that is taken out, one token of it, and a key.
            let ended =
                switch round {
                case 0, 1: try await client.send(.DELETE, "/v1/apps/\(app.id)").status
                case 2, 3: try await app.ask(here, "/oauth/revoke", ["token": token]).0
                default: try await client.send(.DELETE, "/v1/keys/\(made.json["id"]?.string ?? "")").status
                }
            #expect(ended == 204 || ended == 200)
            // In time; how long it takes is measured in Benchmarks.
            let end = ContinuousClock.now + .seconds(10)
            var status = 200
            while status == 200, ContinuousClock.now < end {
                status = try await visitor.send(.GET, "/v1/products?limit=1").status
            }
            #expect(status == 401)
            await visitor.close()
        }
        await client.close()
    }

    @Test func `somebody is let in by a command, beside a shop that is open`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (shop, _, _) = try await VitrineProcess.serve(directory.path)
        defer { shop.kill() }
        let made = try await VitrineProcess.run(["user", "ada@example.com", "--data", directory.path])
        #expect(made.status == 0 && made.output.contains("shown only now: "))
        let again = try await VitrineProcess.run(["user", "ada@example.com", "--data", directory.path])
        #expect(again.status != 0 && again.output.contains("Another user"))
        let wrong = try await VitrineProcess.run([
            "user", "bob@example.com", "--role", "king", "--data", directory.path,
        ])
        #expect(wrong.status != 0 && wrong.output.contains("no role king"))
        shop.interrupt()
        _ = try await shop.exitStatus()
        let check = try await VitrineProcess.run(["check", "--data", directory.path])
        #expect(check.status == 0 && check.output.contains("audit log"))
    }

    @Test func `the command that checks finds an audit log that was changed, and an end that is not the one noted`()
        async throws
    {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (shop, address, key) = try await VitrineProcess.serve(directory.path)
        defer { shop.kill() }
        let client = ShopClient(address, key: key)
        for _ in 0..<3 { _ = try await TestApp.register(client) }
        await client.close()
        // Events reach the log by themselves.
        func check(_ more: [String] = []) async throws -> (status: Int32, output: String) {
            let run = try await VitrineProcess.run(["check", "--data", directory.path] + more)
            return (run.status, run.output)
        }
        var output = ""
        for _ in 0..<200 where !output.contains("audit log: 4 entries") {
            output = try await check().output
            try await Task.sleep(for: .milliseconds(50))
        }
        shop.interrupt()
        _ = try await shop.exitStatus()
        let whole = try await check()
        #expect(whole.status == 0, "\(whole.output)")
        let other = try await check(["--audit-head", String(repeating: "0", count: 64)])
        #expect(other.status != 0 && other.output.contains("none of this chain's"), "\(other.output)")
        var configuration = try Configuration(environment: [:])
        configuration.dataDirectory = directory.path
        let tampered = try await Shop.open(configuration)
        try await tampered.database.write { transaction in
            try transaction.run(
                script: "DROP TRIGGER audit_log_keeps; UPDATE audit_log SET actor = 'nobody' WHERE sequence = 2;")
        }
        await tampered.close()
        let changed = try await check()
        #expect(changed.status != 0 && changed.output.contains("is not what was recorded"), "\(changed.output)")
    }
}
