// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Hummingbird

extension ObservatoryServer {
    func mountLoki(on router: Router<BasicRequestContext>) {
        let api = LokiAPI(store: store, now: now)
        let calls: [(String, Answer)] = [
            ("query", { try api.query($0.parameters, $0.isCancelled) }),
            (
                "query_range",
                { question in
                    let name = HTTPField.Name("X-Loki-Response-Encoding-Flags")
                    let flags = name.flatMap { question.headers[$0] } ?? ""
                    return try api.queryRange(
                        question.parameters, isCategorized: flags.contains("categorize-labels"), question.isCancelled)
                }
            ),
            ("labels", { _ in LokiAnswers.names(LokiAPI.labels) }),
            ("label/:subject/values", { try api.labelValues($0.subject) }),
            ("series", { try api.series($0.parameters, $0.isCancelled) }),
            ("index/stats", { try api.stats($0.parameters, $0.isCancelled) }),
            ("detected_fields", { try api.detectedFields($0.parameters, $0.isCancelled) }),
            (
                "detected_field/:subject/values",
                { try api.detectedValues(of: $0.subject, $0.parameters, $0.isCancelled) }
            ),
        ]
        for (path, answer) in calls { mount("/loki/api/v1/\(path)", on: router, .loki, isPosted: true, answer) }
    }
}
