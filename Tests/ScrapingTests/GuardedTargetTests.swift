// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import Telemetry
import TestSupport
import Testing

@testable import Scraping

/// Targets that ask who scrapes them, in a real Prometheus and in ours.
struct GuardedTargetTests {
    private static func jobs(_ port: Int, _ folder: String) -> String {
        let ours = "{ca_file: \(folder)/own.pem, cert_file: \(folder)/own.pem, key_file: \(folder)/own.key}"
        let rest = """
              scrape_interval: 1s
              scheme: https
              static_configs: [{targets: ['localhost:\(port)']}]
            """
        return """

            - job_name: oauth
            \(rest)
              metrics_path: /oauth
              tls_config: \(ours)
              oauth2:
                client_id: scraper
                client_secret_file: \(folder)/secret
                token_url: https://localhost:\(port)/token
                scopes: [read, watch]
                endpoint_params: {audience: shops}
                tls_config: \(ours)
            - job_name: stranger
            \(rest)
              metrics_path: /oauth
              tls_config: \(ours)
              oauth2:
                client_id: scraper
                client_secret: wrong
                token_url: https://localhost:\(port)/token
                tls_config: \(ours)
            - job_name: basic
            \(rest)
              metrics_path: /basic
              tls_config: \(ours)
              basic_auth: {username: scraper, password_file: \(folder)/secret}
            - job_name: file
            \(rest)
              metrics_path: /file
              tls_config: {insecure_skip_verify: true, cert_file: \(folder)/own.pem, key_file: \(folder)/own.key}
              authorization: {credentials_file: \(folder)/shown}
            - job_name: moved
            \(rest)
              metrics_path: /moved
              follow_redirects: false
              tls_config: \(ours)
            - job_name: unproven
            \(rest)
              metrics_path: /file
              tls_config: {cert_file: \(folder)/own.pem, key_file: \(folder)/own.key}
              authorization: {credentials_file: \(folder)/shown}
            - job_name: nobody
            \(rest)
              metrics_path: /basic
              tls_config: {ca_file: \(folder)/own.pem}
            """
    }

    private static let faulty: Set<String> = ["stranger", "moved", "unproven", "nobody"]

    @Test(
        .enabled("apt-get install prometheus, and make setup") { TestPrometheus.isInstalled && Python.isInstalled })
    func `who scrapes is shown as Prometheus shows it`() async throws {
        let folder = try TestDirectory()
        for (name, text) in [("secret", "s:e cret\n"), ("shown", "first\n"), ("wanted", "first\n")] {
            try text.write(toFile: folder.path + "/" + name, atomically: true, encoding: .utf8)
        }
        try await Self.makeCertificate(in: folder)
        let target = try GuardedTarget(in: folder)
        defer { target.stop() }
        let (port, end) = (target.port, ContinuousClock.now + .seconds(60))
        let prometheus = try TestPrometheus(scrape: Self.jobs(port, folder.path), port: TestPrometheus.freePort())
        defer { prometheus.stop() }
        let scraper = Scraper(
            try ScrapeConfiguration.jobs("scrape_configs:" + Self.jobs(port, folder.path))
        ) { _, _ in }
        let running = Task { try await scraper.run() }
        defer { running.cancel() }

        /// Which jobs are down, here and there, once both say so.
        func settled(_ wanted: Set<String>) async throws {
            var (ours, theirs): (Set<String>, Set<String>) = ([], [])
            repeat {
                try await Task.sleep(for: .milliseconds(300))
                ours = Set(scraper.targets.filter { !$0.fault.isEmpty }.map(\.job))
                if scraper.targets.count < 7 { ours = ["not all were scraped"] }
                let found = try await prometheus.get("/api/v1/query", [("query", "up{job!=\"prometheus\"} == 0")])
                theirs = Set((found["data"]?["result"]?.array ?? []).compactMap { $0["metric"]?["job"]?.string })
            } while (ours != wanted || theirs != wanted) && ContinuousClock.now < end
            #expect(ours == wanted, "\(scraper.targets.map { ($0.job, $0.fault) })")
            #expect(theirs == wanted)
        }
        try await settled(Self.faulty)
        let stranger = scraper.targets.first { $0.job == "stranger" }
        #expect(stranger?.fault.contains("401 Unauthorized: invalid_client") == true)
        // A secret that its file has anew is shown from the next scrape on.
        try "second".write(toFile: folder.path + "/wanted", atomically: true, encoding: .utf8)
        try await settled(Self.faulty.union(["file"]))
        try "second".write(toFile: folder.path + "/shown", atomically: true, encoding: .utf8)
        try await settled(Self.faulty)
        // One token does until it is taken back.
        let given = target.lines.count { $0 == "gave Vitrine" }
        #expect(given == 1)
        let revoked = try await Self.shell(
            "curl -sS --cacert own.pem --cert own.pem --key own.key https://localhost:\(port)/revoke", in: folder)
        #expect(revoked.isEmpty, "\(revoked)")
        while target.lines.count(where: { $0 == "gave Vitrine" }) == given, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(100))
        }
        while scraper.targets.first(where: { $0.job == "oauth" })?.fault.isEmpty == false, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(scraper.targets.first { $0.job == "oauth" }?.fault == "")
        #expect(target.lines.count { $0 == "gave Vitrine" } == given + 1)
    }

    @Test(arguments: [
        ("oauth2: {client_secret: a, token_url: 'http://a/b'}", "client_id is missing"),
        ("oauth2: {client_id: a, token_url: 'http://a/b'}", "client_secret or client_secret_file is missing"),
        ("oauth2: {client_id: a, client_secret: b, token_url: there}", "token_url takes an address"),
        ("oauth2: {client_id: a, client_secret: b, token_url: 'http://a/b', scope: c}", "scope is not supported"),
        ("oauth2: {client_id: a, client_secret: b, client_secret_file: c, token_url: 'http://a/b'}", "only one of"),
        ("basic_auth: {username: a}, bearer_token: b", "only one of basic_auth"),
        ("basic_auth: {username: a, password_file: /nowhere/at/all}", "/nowhere/at/all cannot be read"),
        ("tls_config: {ca_file: /nowhere/at/all}", "cannot be read"),
        ("tls_config: {cert_file: /nowhere/at/all}", "belong together"),
        ("bearer_token: \"a\\nb\"", "a secret has control characters"),
        ("scrape_interval: 9223372036854775807h", "15s"),
        ("tls_config: {server_name: a}", "server_name is not supported"),
    ])
    func `what is wrong is said before the first scrape`(text: String, words: String) {
        do {
            _ = try ScrapeConfiguration.jobs("scrape_configs: [{job_name: a, \(text)}]")
            Issue.record("\(text) was taken")
        } catch { #expect("\(error)".contains(words), "\(error)") }
    }

    private static func makeCertificate(in folder: TestDirectory) async throws {
        let made = try await shell(
            """
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost -keyout own.key -out own.pem 2>&1 && echo made
            """, in: folder)
        #expect(made.hasSuffix("made\n"), "\(made)")
    }

    private static func shell(_ line: String, in folder: TestDirectory) async throws -> String {
        let (process, path) = (Process(), folder.path + "/shell.log")
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", "(\(line)) >shell.log 2>&1"]
        process.currentDirectoryURL = URL(filePath: folder.path)
        try process.run()
        while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        return try String(contentsOfFile: path, encoding: .utf8)
    }
}
