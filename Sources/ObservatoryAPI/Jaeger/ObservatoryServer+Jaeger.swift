// SPDX-License-Identifier: Apache-2.0

internal import Hummingbird

extension ObservatoryServer {
    func mountJaeger(on router: Router<BasicRequestContext>) {
        let api = JaegerAPI(store: store, now: now)
        let first: [(String, Answer)] = [
            ("services", { _ in try api.services() }),
            ("services/:subject/operations", { try api.operations(of: $0.subject) }),
            ("operations", { try api.operations($0.parameters) }),
            ("traces", { try api.search($0.parameters, $0.isCancelled) }),
            ("traces/:subject", { try api.trace($0.subject, $0.parameters) }),
            ("dependencies", { try api.dependencies($0.parameters, $0.isCancelled) }),
        ]
        for (path, answer) in first { mount("/api/\(path)", on: router, .jaeger, answer) }
        let metrics = JaegerMetrics(prometheus: self.api)
        let kinds: [(String, Answer)] = [
            ("latencies", { try metrics.latencies($0.parameters, $0.isCancelled) }),
            ("calls", { try metrics.calls($0.parameters, $0.isCancelled) }),
            ("errors", { try metrics.errors($0.parameters, $0.isCancelled) }),
            ("minstep", { _ in metrics.minStep() }),
        ]
        for (path, answer) in kinds { mount("/api/metrics/\(path)", on: router, .jaeger, answer) }
        let third: [(String, Answer)] = [
            ("services", { _ in try api.services3() }),
            ("operations", { try api.operations3($0.parameters) }),
            ("traces", { try api.search3($0.parameters, $0.isCancelled) }),
            ("traces/:subject", { try api.trace3($0.subject) }),
        ]
        for (path, answer) in third { mount("/api/v3/\(path)", on: router, .jaeger3, answer) }
    }
}
