// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing
import Web

@testable import Vitrine

/// The shop's own TLS, asked by curl and openssl.
struct TLSTests {
    /// Runs a line of a shell; what it prints, errors included.
    private func shell(_ line: String, in directory: TestDirectory) async throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", line]
        process.currentDirectoryURL = URL(filePath: directory.path)
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let handle = pipe.fileHandleForReading
        return await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: String(decoding: handle.readDataToEndOfFile(), as: UTF8.self)) }
                .start()
        }
    }

    private func makeCertificate(_ name: String, in directory: TestDirectory) async throws {
        let made = try await shell(
            """
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=\(name) \
            -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout next.key -out next.pem 2>&1 \
            && mv next.key shop.key && mv next.pem shop.pem && echo made
            """, in: directory)
        #expect(made.hasSuffix("made\n"), "\(made)")
    }

    private func serve(_ directory: TestDirectory) async throws -> (shop: VitrineProcess, port: Int, key: String) {
        let shop = try VitrineProcess(
            ["serve", "--data", directory.path + "/data", "--port", "0"],
            environment: [
                "VITRINE_TLS_CERTIFICATE": directory.path + "/shop.pem",
                "VITRINE_TLS_KEY": directory.path + "/shop.key",
            ])
        try await shop.wait(for: "listens on https://")
        let port = shop.output.firstMatch(of: #/listens on https:\/\/127\.0\.0\.1:(\d+)/#).flatMap { Int($0.1) }
        let key = shop.output.firstMatch(of: #/(vk_[\w-]+)/#).map { String($0.1) }
        return (shop, try #require(port), try #require(key))
    }

    @Test func `HTTP/2 and HTTP/1.1 are spoken over TLS 1.2 and later, and nothing older`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await makeCertificate("one", in: directory)
        let (shop, port, key) = try await serve(directory)
        defer { shop.kill() }
        let curl = "curl -sS --cacert shop.pem -H 'Authorization: Bearer \(key)'"
        let address = "https://localhost:\(port)/v1/products"
        for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
            let said = try await shell("\(curl) \(flag) -D - -w '%{http_version}' \(address)", in: directory)
            #expect(said.contains("\"items\"") && said.hasSuffix("}\(version)"), "\(said)")
            #expect(said.lowercased().contains("strict-transport-security: max-age="))
            #expect(said.lowercased().contains("x-content-type-options: nosniff"))
            #expect(said.contains("https://127.0.0.1:\(port)/v1/products"), "links lead back over TLS")
        }
        // Many at once over one connection, with bodies; and what is refused has its problem.
        let many = try await shell(
            """
            for i in $(seq 1 40); do echo "url=\(address.replacing("/products", with: "/customers"))"; echo 'output=/dev/null'; \
            done > list; \(curl) --http2 -Z --no-progress-meter --parallel-max 40 -H 'Content-Type: application/json' \
            -d '{"name":"A"}' -w '%{http_version} %{http_code}\\n' -K list | sort | uniq -c
            """, in: directory)
        #expect(many.trimmingCharacters(in: .whitespacesAndNewlines).hasSuffix("2 201"), "\(many)")
        #expect(many.contains("40 2 201"), "\(many)")
        let nobody = try await shell("curl -sS --cacert shop.pem --http2 \(address)", in: directory)
        #expect(nobody.contains("\"code\":\"unauthenticated\""))
        func handshake(_ version: String) async throws -> String {
            try await shell(
                "openssl s_client -connect localhost:\(port) \(version) -cipher 'DEFAULT@SECLEVEL=0' 2>&1",
                in: directory)
        }
        #expect(try await handshake("-tls1_2").contains("Protocol  : TLSv1.2"))
        let weak = try await shell(
            "openssl s_client -connect localhost:\(port) -tls1_2 -cipher 'ECDHE-ECDSA-AES128-SHA' 2>&1", in: directory)
        #expect(weak.contains("handshake failure"), "no suite without authenticated encryption: \(weak)")
        // What is about a connection of HTTP/1.1 is not said in HTTP/2, and the refusal arrives.
        let large = try await shell(
            """
            head -c 2000000 /dev/zero | tr '\\0' ' ' > large; \(curl) --http2 -H 'Content-Type: application/json' \
            --data-binary @large -w '%{http_code}' https://localhost:\(port)/v1/customers
            """, in: directory)
        #expect(large.hasSuffix("413") && large.contains("content_too_large"), "\(large.suffix(300))")
        // The same from the lane of ready answers as from the general path.
        let ready = try await shell(
            "for i in 1 2 3 4; do \(curl) --http1.1 -s -D - -o /dev/null \(address) | grep -ci strict-transport; done",
            in: directory)
        #expect(ready == "1\n1\n1\n1\n", "\(ready)")
        let lane = try await shell(
            "for i in 1 2 3 4 5; do \(curl) --http1.1 -s -D - -o /dev/null \(address); done | grep -c 'desc=hit'",
            in: directory)
        #expect(lane != "0\n", "some of them came from the lane")
        #expect(try await handshake("-tls1_1").contains("alert protocol version"))
        // Whoever speaks no TLS does no harm.
        _ = try await shell("curl -sS http://localhost:\(port)/ -m 5", in: directory)
        #expect(try await shell("\(curl) -o /dev/null -w '%{http_code}' \(address)", in: directory) == "200")
    }

    @Test(.timeLimit(.minutes(2)))
    func `who sends a body too slowly is told so, in either version`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await makeCertificate("one", in: directory)
        let (shop, port, key) = try await serve(directory)
        defer { shop.kill() }
        func slow(_ version: String) async throws -> String {
            try await shell(
                """
                (printf '{"name":'; sleep 45) | curl -sS --cacert shop.pem \(version) -H 'Authorization: Bearer \(key)' \
                -H 'Content-Type: application/json' -X POST -T - -w ' %{http_code}' https://localhost:\(port)/v1/customers
                """, in: directory)
        }
        async let old = slow("--http1.1")
        async let new = slow("--http2")
        for said in try await [old, new] {
            #expect(said.contains("request_timeout") && said.hasSuffix(" 408"), "\(said)")
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a connection of HTTP/2 that stays open keeps nobody from ending the process`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await makeCertificate("one", in: directory)
        let (shop, port, _) = try await serve(directory)
        async let held = shell(
            "exec openssl s_client -quiet -alpn h2 -connect localhost:\(port) < <(sleep 90 >/dev/null 2>&1) 2>&1",
            in: directory)
        try await Task.sleep(for: .seconds(1))
        shop.interrupt()
        #expect(try await shop.exitStatus(within: .seconds(60)) == 0)
        _ = try await held
    }

    @Test func `a certificate is replaced without a restart, and one that cannot be used is not taken up`() async throws
    {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await makeCertificate("one", in: directory)
        let (shop, port, _) = try await serve(directory)
        defer { shop.kill() }
        func name() async throws -> String {
            try await shell(
                "openssl s_client -connect localhost:\(port) 2>/dev/null | openssl x509 -noout -subject", in: directory)
        }
        #expect(try await name().contains("CN = one"))
        try await makeCertificate("two", in: directory)
        try await shown("CN = two", name)
        _ = try await shell("echo nonsense > shop.pem", in: directory)
        for _ in 0..<200 where !shop.output.contains("the one before stays") {
            #expect(try await name().contains("CN = two"))
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(shop.output.contains("the one before stays"))
        try await makeCertificate("three", in: directory)
        try await shown("CN = three", name)
    }

    private func shown(_ subject: String, _ name: () async throws -> String) async throws {
        for _ in 0..<200 where try await !name().contains(subject) { try await Task.sleep(for: .milliseconds(100)) }
        #expect(try await name().contains(subject))
    }

    @Test(
        .enabled(if: Python.isInstalled, "needs the environment that the test command fills from PyPI"),
        arguments: ["http", "grpc"])
    func `who sends to an observatory from another machine needs the token, over TLS`(wire: String) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await makeCertificate("one", in: directory)
        let observatory = try VitrineProcess(
            [
                "observe", "--directory", directory.path + "/kept", "--port", "0", "--otlp-host", "0.0.0.0",
                "--otlp-http-port", "0", "--otlp-grpc-port", "0",
            ],
            environment: [
                "VITRINE_TLS_CERTIFICATE": directory.path + "/shop.pem",
                "VITRINE_TLS_KEY": directory.path + "/shop.key", "VITRINE_OBSERVATORY_TOKEN": "open sesame",
            ])
        defer { observatory.kill() }
        for line in ["observatory is at https://", "HTTP on https://", "gRPC on https://"] {
            try await observatory.wait(for: line)
        }
        func port(_ pattern: Regex<(Substring, Substring)>) throws -> String {
            String(try #require(observatory.output.firstMatch(of: pattern)).1)
        }
        let (http, grpc) = (try port(#/HTTP on https:.*:(\d+)/#), try port(#/gRPC on https:.*:(\d+)/#))
        let here = try port(#/observatory is at (https:[^,]+)/#)
        func count(_ authorization: String) async throws -> String {
            try await shell(
                """
                curl -sS --cacert shop.pem -H 'Authorization: \(authorization)' \
                '\(here)/api/v1/span_groups?service=peer&by=name'
                """, in: directory)
        }
        for (headers, isSent) in [
            ("", false), ("authorization=Bearer%20sesame", false), ("authorization=Bearer%20open%20sesame", true),
        ] {
            let answer = try await Python.run(
                "otlp_sender.py", [http, grpc, "sdk", wire, "gzip", "https"],
                environment: [
                    "OTEL_EXPORTER_OTLP_CERTIFICATE": directory.path + "/shop.pem",
                    "OTEL_EXPORTER_OTLP_HEADERS": headers,
                    // What the machine may have set goes before what the exporter is told.
                    "REQUESTS_CA_BUNDLE": directory.path + "/shop.pem",
                ])
            let isRefused = answer.errors.contains(wire == "http" ? "Unauthorized" : "UNAUTHENTICATED")
            #expect(isRefused == !isSent, "\(answer.errors.suffix(600))")
            let found = try await count("Bearer open sesame")
            #expect(found.contains("\"inner\"") == isSent, "\(found)")
        }
        #expect(try await count("Bearer sesame").contains("token"))
        // Whoever lets others send must say who they are.
        let careless = try VitrineProcess(
            ["observe", "--directory", directory.path + "/other", "--port", "0", "--otlp-host", "0.0.0.0"])
        #expect(try await careless.exitStatus() != 0)
        try await careless.wait(for: "VITRINE_OBSERVATORY_TOKEN")
    }

    @Test func `the observatory beside a shop shows the shop's certificate`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await makeCertificate("one", in: directory)
        let (shop, _, key) = try await serve(directory)
        defer { shop.kill() }
        try await shop.wait(for: "observatory is at https://")
        let here = try #require(shop.output.firstMatch(of: #/observatory is at (https:[^,]+)/#)).1
        let said = try await shell(
            """
            curl -sS --cacert shop.pem -H 'Authorization: Bearer \(key)' \(here)/api/v1/labels; \
            curl -sS --cacert shop.pem -D - -o /dev/null --data-urlencode token=\(key) \(here)/console/login
            """, in: directory)
        #expect(said.contains("\"status\":\"success\""), "\(said)")
        #expect(said.contains("; Secure"), "the cookie is for TLS alone: \(said)")
    }

    @Test func `files that hold no chain with its key are told before the shop opens`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let environment = ["VITRINE_TLS_CERTIFICATE": directory.path + "/none.pem", "VITRINE_TLS_KEY": "none.key"]
        let shop = try VitrineProcess(["serve", "--data", directory.path, "--port", "0"], environment: environment)
        #expect(try await shop.exitStatus() != 0)
        try await shop.wait(for: "VITRINE_TLS_CERTIFICATE")
        let half = ["VITRINE_TLS_KEY": "shop.key"]
        #expect(throws: Failure.self) { try Configuration(environment: half) }
    }
}
