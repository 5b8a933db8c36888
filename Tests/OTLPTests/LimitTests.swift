// SPDX-License-Identifier: Apache-2.0

import Foundation
import Telemetry
import Testing

@testable import OTLP
@testable import Vitrine

/// What senders and collectors may not do to us.
struct LimitTests {
    @Test func `a few bytes do not become many rows`() throws {
        // A gauge's point with exemplars of nothing: two bytes each on the wire.
        var point = ProtobufWriter()
        for _ in 0..<3_000 { point.message(5) { _ in } }
        var request = ProtobufWriter()
        request.message(1) { resource in
            resource.message(2) { scope in
                scope.message(2) { metric in
                    metric.text(1, "m")
                    metric.message(5) { $0.data(1, point.bytes) }
                }
            }
        }
        #expect(throws: WireError.self) {
            try SignalDecoder.decode(request.bytes, .metrics, .protobuf, limits: DecodeLimits(partsMax: 1_000))
        }
        #expect(try SignalDecoder.decode(request.bytes, .metrics, .protobuf).batch.count == 1)
    }

    @Test func `a packed list is measured before it is taken`() throws {
        var request = ProtobufWriter()
        request.message(1) { resource in
            resource.message(2) { scope in
                scope.message(2) { metric in
                    metric.text(1, "m")
                    metric.message(10) { data in
                        data.message(1) { point in
                            point.message(8) { $0.data(2, Array(repeating: 1, count: 1_000_001)) }
                        }
                    }
                }
            }
        }
        #expect(throws: WireError.tooLarge("A list has at most 1000000 numbers.")) {
            try SignalDecoder.decode(request.bytes, .metrics, .protobuf)
        }
    }

    @Test func `a resource has no more attributes than anybody else`() throws {
        let many = Resource((0..<500).map { Attribute("a\($0)", .int(1)) })
        let span = SpanRecord(
            context: TraceContext(traceID: TraceID(high: 0, low: 1), spanID: 1), parentID: 0, hasRemoteParent: false,
            name: "s", kind: .server, start: 0, end: 0)
        let body = RequestEncoder.spans([span], from: many)
        let batch = try #require(try SignalDecoder.decode(body, .traces, .protobuf).batch.spans)
        #expect(batch.resource(of: 0).attributes.count == 128)
    }

    @Test func `a body that comes too slowly is not waited for`() async throws {
        var limits = Intake.Limits()
        limits.requestTimeout = .milliseconds(300)
        try await TestCollector().run(.http, limits: limits) { port in
            let answer = try await Wire.exchange(
                port: port,
                "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            #expect(answer.hasPrefix("HTTP/1.1 408"), "\(answer)")
        }
    }

    @Test func `connections beyond the limit are closed, and the others go on`() async throws {
        var limits = Intake.Limits()
        limits.connectionsMax = 2
        let collector = TestCollector()
        try await collector.run(.grpc, limits: limits) { port in
            let held = try [Wire.connect(port), Wire.connect(port)]
            defer { held.forEach { close($0) } }
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await Wire.exchange(port: port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "")
        }
    }

    @Test func `a collector that stalls in its answer does not hold the line`() async throws {
        let server = try Wire.stallingServer()
        defer { close(server.descriptor) }
        var settings = ExporterSettings(endpoint: "http://127.0.0.1:\(server.port)")
        settings.timeout = .milliseconds(200)
        settings.spansDelay = .milliseconds(10)
        let exporter = try OTLPExporter(settings)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await exporter.run() }
            exporter.take(logs: [LogRecord(time: 1, severity: .info, body: "b", scope: "s")], from: Resource([]))
            let end = ContinuousClock.now + .seconds(20)
            while exporter.lastFault == nil, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(5)) }
            group.cancelAll()
        }
        #expect(exporter.lastFault != nil, "it is taken for away")
        #expect(exporter.inFlight(.logs) == 1)
    }
}

/// Plain sockets, for peers that do not keep to the protocol.
private enum Wire {
    static func connect(_ port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }

    /// Sends a text and gives the first that comes back, or nothing if the connection is closed.
    static func exchange(port: Int, _ text: String) async throws -> String {
        let descriptor = try connect(port)
        return await withCheckedContinuation { continuation in
            Thread {
                _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                var bytes = [UInt8](repeating: 0, count: 4_096)
                let count = read(descriptor, &bytes, bytes.count)
                close(descriptor)
                continuation.resume(returning: String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
            }.start()
        }
    }

    /// Answers every request with a head and half a body.
    static func stallingServer() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port = FreePort.find()
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0 && listen(descriptor, 8) == 0)
        Thread {
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else { return }
                var bytes = [UInt8](repeating: 0, count: 4_096)
                _ = read(client, &bytes, bytes.count)
                let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".utf8)
                _ = head.withUnsafeBytes { write(client, $0.baseAddress, $0.count) }
            }
        }.start()
        return (descriptor, port)
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
