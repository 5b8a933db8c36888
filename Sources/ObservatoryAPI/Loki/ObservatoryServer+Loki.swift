// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import TelemetryStore

extension ObservatoryServer {
    func mountLoki(on router: Router<BasicRequestContext>) {
        let api = LokiAPI(store: store, now: now)
        func mount(
            _ path: String,
            _ answer: @escaping @Sendable (Request, String, Parameters, @escaping LokiAPI.IsCancelled) throws -> [UInt8]
        ) {
            let handler: @Sendable (Request, BasicRequestContext) async throws -> Response = { request, context in
                let subject = context.parameters.get("subject")?.removingPercentEncoding ?? ""
                return await guarded(request) {
                    var response = await ask(request, failure: LokiAnswers.failure) {
                        try answer(request, subject, $0, $1)
                    }
                    if response.status != .ok { response.headers[.contentType] = "text/plain; charset=utf-8" }
                    return response
                }
            }
            router.get("/loki/api/v1/\(path)", use: handler)
            router.post("/loki/api/v1/\(path)", use: handler)
        }
        mount("query") { _, _, parameters, isCancelled in try api.query(parameters, isCancelled) }
        mount("query_range") { request, _, parameters, isCancelled in
            let flags = HTTPField.Name("X-Loki-Response-Encoding-Flags").flatMap { request.headers[$0] } ?? ""
            return try api.queryRange(parameters, isCategorized: flags.contains("categorize-labels"), isCancelled)
        }
        mount("labels") { _, _, _, _ in LokiAnswers.names(LokiAPI.labels) }
        mount("label/:subject/values") { _, name, _, _ in try api.labelValues(name) }
        mount("series") { _, _, parameters, isCancelled in try api.series(parameters, isCancelled) }
        mount("index/stats") { _, _, parameters, isCancelled in try api.stats(parameters, isCancelled) }
        mount("detected_fields") { _, _, parameters, isCancelled in try api.detectedFields(parameters, isCancelled) }
        mount("detected_field/:subject/values") { _, field, parameters, isCancelled in
            try api.detectedValues(of: field, parameters, isCancelled)
        }
    }
}
