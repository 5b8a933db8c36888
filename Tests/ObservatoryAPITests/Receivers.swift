// SPDX-License-Identifier: Apache-2.0

import Kernel
import OTLP
import ObservatoryAPI
import TestSupport

/// OTLP's own ports before an observatory.
enum Receivers {
    static func run(
        _ observatory: TestObservatory, _ body: @escaping @Sendable (_ http: Int, _ grpc: Int) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: (isGRPC: Bool, number: Int).self)
        let intake = observatory.intake
        let http = HTTPReceiver(intake, host: "127.0.0.1", port: 0) { port.yield((false, $0)) }
        let grpc = GRPCReceiver(intake, host: "127.0.0.1", port: 0) { port.yield((true, $0)) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await http.run() }
            tasks.addTask { try await grpc.run() }
            var numbers: [Bool: Int] = [:]
            for await (isGRPC, number) in ports {
                numbers[isGRPC] = number
                if numbers.count == 2 { break }
            }
            try await body(numbers[false] ?? 0, numbers[true] ?? 0)
            tasks.cancelAll()
        }
    }
}
