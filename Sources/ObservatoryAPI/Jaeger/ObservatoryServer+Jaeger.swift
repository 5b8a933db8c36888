// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Hummingbird
internal import TelemetryStore

extension ObservatoryServer {
    func mountJaeger(on router: Router<BasicRequestContext>) {
        let api = JaegerAPI(store: store, now: now)
        func mount(
            _ path: String, failure: @escaping @Sendable (APIError) -> [UInt8] = JaegerAnswers.failure,
            _ answer: @escaping @Sendable (String, Parameters, @escaping JaegerAPI.IsCancelled) throws -> [UInt8]
        ) {
            router.get("\(path)") { request, context in
                // What stands in the address itself: a service or a trace.
                let subject = context.parameters.get("subject")?.removingPercentEncoding ?? ""
                return await guarded(request) { await ask(request, failure: failure) { try answer(subject, $0, $1) } }
            }
        }
        mount("/api/services") { _, _, _ in try api.services() }
        mount("/api/services/:subject/operations") { service, _, _ in try api.operations(of: service) }
        mount("/api/operations") { _, parameters, _ in try api.operations(parameters) }
        mount("/api/traces") { _, parameters, isCancelled in try api.search(parameters, isCancelled) }
        mount("/api/traces/:subject") { id, _, _ in try api.trace(id) }
        mount("/api/dependencies") { _, parameters, isCancelled in try api.dependencies(parameters, isCancelled) }
        let failure = JaegerAnswers.failure3
        mount("/api/v3/services", failure: failure) { _, _, _ in try api.services3() }
        mount("/api/v3/operations", failure: failure) { _, parameters, _ in try api.operations3(parameters) }
        mount("/api/v3/traces", failure: failure) { _, parameters, isCancelled in
            try api.search3(parameters, isCancelled)
        }
        mount("/api/v3/traces/:subject", failure: failure) { id, _, _ in try api.trace3(id) }
    }
}
