// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Telemetry

@testable import OTLP

/// A collector that remembers what it was sent, and can be told to be difficult.
final class TestCollector: Sendable {
    private struct State {
        var spans: [Int] = []
        var spanNames: [String: Int] = [:]
        var spanErrors = 0
        var services: Set<String> = []
        var logs: [String] = []
        var metrics: [String] = []
        var requests = 0
        var overloads = 0
        var rejectsEachOf = 0
    }

    private let state = Mutex(State())

    /// The starts of the spans, which tests number.
    var spans: [Int] { state.withLock { $0.spans } }
    var spanNames: [String: Int] { state.withLock { $0.spanNames } }
    var spanErrors: Int { state.withLock { $0.spanErrors } }
    /// Who sent spans, by `service.name`.
    var services: Set<String> { state.withLock { $0.services } }
    var logs: [String] { state.withLock { $0.logs } }
    var metrics: [String] { state.withLock { $0.metrics } }
    var requests: Int { state.withLock { $0.requests } }

    /// So many requests are answered with "come back later".
    var overloads: Int {
        get { state.withLock { $0.overloads } }
        set { state.withLock { $0.overloads = newValue } }
    }

    /// One in so many items is rejected.
    var rejectsEachOf: Int {
        get { state.withLock { $0.rejectsEachOf } }
        set { state.withLock { $0.rejectsEachOf = newValue } }
    }

    /// Runs a receiver for as long as `test` does.
    func run(
        _ wireProtocol: ExporterSettings.WireProtocol, port: Int = 0, limits: Intake.Limits = Intake.Limits(),
        _ test: (Int) async throws -> Void
    ) async throws {
        let intake = Intake(limits) { batch in try self.take(batch) }
        let (ports, started) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            switch wireProtocol {
            case .http:
                let receiver = HTTPReceiver(intake, host: "127.0.0.1", port: port) { started.yield($0) }
                group.addTask { try await receiver.run() }
            case .grpc:
                let receiver = GRPCReceiver(intake, host: "127.0.0.1", port: port) { started.yield($0) }
                group.addTask { try await receiver.run() }
            }
            for await port in ports {
                try await test(port)
                break
            }
            group.cancelAll()
        }
    }

    /// Runs both receivers for as long as `test` does, which is given the ports of HTTP and gRPC.
    func runBoth(_ test: (Int, Int) async throws -> Void) async throws {
        try await run(.http) { http in
            try await run(.grpc) { grpc in try await test(http, grpc) }
        }
    }

    private func take(_ batch: SignalBatch) throws -> Intake.Refusal {
        try state.withLock { state in
            state.requests += 1
            if state.overloads > 0 {
                state.overloads -= 1
                throw Intake.Overload(retryAfter: .zero)
            }
            switch batch {
            case .spans(let batch):
                state.spans += batch.starts.map(Int.init)
                for place in 0..<batch.count {
                    state.spanNames[
                        String(decoding: batch.bytes[batch.names[place].range], as: UTF8.self), default: 0] += 1
                    if batch.statuses[place] == 2 { state.spanErrors += 1 }
                    if let service = batch.resource(of: place)["service.name"] { state.services.insert(service.text) }
                }
            case .logs(let batch): state.logs += (0..<batch.count).map { batch.record($0).body }
            case .metrics(let batch): state.metrics += Self.lines(batch)
            }
            guard state.rejectsEachOf > 0 else { return .none }
            return Intake.Refusal(items: batch.count / state.rejectsEachOf, reason: "Not these.")
        }
    }

    private static func lines(_ batch: MetricBatch) -> [String] {
        batch.metrics.flatMap { metric in
            metric.points.map { point in
                let name = String(decoding: batch.bytes[metric.name.range], as: UTF8.self)
                let labels = batch.attributes.list(batch.points[point].attributes, in: batch.bytes)
                    .map { "\($0.name)=\($0.value.text)" }
                let value: String
                switch batch.points[point].value {
                case .int(let number): value = "\(number)"
                case .double(let number): value = "\(number)"
                case .histogram(let place): value = "\(batch.histograms[place].count)"
                case .none: value = "none"
                }
                return ([name] + labels + [value]).joined(separator: " ")
            }
        }
    }
}

extension SignalBatch {
    var spans: SpanBatch? { if case .spans(let batch) = self { batch } else { nil } }
    var metrics: MetricBatch? { if case .metrics(let batch) = self { batch } else { nil } }
    var logs: LogBatch? { if case .logs(let batch) = self { batch } else { nil } }
}
