// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Telemetry

struct SignalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signals", abstract: "Print what the shop tells about itself, as the page docs/TELEMETRY.md.")

    func run() { Terminal.say(Self.page) }

    static let page = """
        # Telemetry

        What a shop tells about itself. This page is printed by `vitrine signals`; a test compares them.

        ## Where it is read

        - `GET /metrics`: Prometheus text, or OpenMetrics with exemplars, by `Accept`. Needs a key with `read:telemetry`.
        - `GET /health/live` and `/health/ready`: for probes, without a key. `GET /health`: every dependency, with a key.
        - Standard output: one JSON object a line, or text at a terminal. `VITRINE_LOG_LEVEL` says how much.
        - Any collector: `OTEL_EXPORTER_OTLP_ENDPOINT` has traces, metrics and log lines sent by OTLP, over HTTP or gRPC. While
          the collector is away they wait on disk, 256 MiB and 24 hours of each, and are sent in order after, also by the next
          process; on Postgres in memory, 16 MiB of each, unless `VITRINE_SPOOL` names a directory. `vitrine serve --help` lists the other variables.
        - `vitrine collect` receives OTLP on ports 4317 and 4318 and prints it, whatever service sends it.

        ## Metrics

        | OpenTelemetry | Prometheus | kind | unit | labels | meaning |
        |---|---|---|---|---|---|
        \(Signals.allMetrics.sorted { $0.name < $1.name }.map(row).joined(separator: "\n"))

        A metric has at most 2,000 series; further ones are recorded in one labelled `otel_metric_overflow="true"`.

        ## Spans

        Spans are recorded where they are kept beside the shop, or sent by OTLP, or with `OTEL_TRACES_EXPORTER=console` to where log lines go.
        Else they carry their context and record nothing. Kept are traces with an error, the slowest and the first of each route in
        every minute, and of the rest ten a second, or what `OTEL_TRACES_SAMPLER` says; a span that stands for others has
        `sampler.adjusted_count`.

        | name | kind | when |
        |---|---|---|
        | `GET /v1/products/{id}` | server | each request, by route; not those answered from the ready lane, which are only counted |
        | `order.place` | internal | what a request changes, after its operation; reading has none |
        | `payment.authorize` | client | each attempt at a payment provider, with its provider, number and outcome |
        | `POST` | client | each request to Stripe |
        | `read SELECT products` | client | each body of statements that only reads; `db.query.summary` names its statements |
        | `write INSERT orders` | client | each transaction |
        | `chore payments.settle` | internal | each round of a chore |
        | `process order.placed` | consumer | each event that a consumer takes, in the trace in which it was written |

        Request spans have the ids of the API key (`vitrine.client.id`), of what the address names (`vitrine.order.id`) and of the
        customer (`user.id`); so have log lines. W3C `traceparent`, `tracestate` and `baggage` are taken and handed on, and `X-Correlation-ID`.

        ## Log lines

        `timestamp`, `severity_text`, `severity_number`, `body`, `scope`, `attributes`, `resource`, and within a request
        `trace_id`, `span_id`, `trace_flags`, `correlation_id` and `baggage`. Secrets and card numbers are written as
        `\(Redaction.mark)`; `docs/THREAT_MODEL.md` says which.
        """

    private static func row(_ metric: MetricDescription) -> String {
        let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
        let name = metric.prometheusName + (metric.kind == .counter ? "_total" : "")
        return
            "| `\(metric.name)` | `\(name)` | \(metric.kind.rawValue) | \(metric.unit) | \(labels) | \(metric.about) |"
    }
}
