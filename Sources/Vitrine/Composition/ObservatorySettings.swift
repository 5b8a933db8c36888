// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import TelemetryStore

/// Where the observatory keeps what it is told, and where it answers.
package struct ObservatorySettings: Sendable {
    /// Where signals are kept. Default `telemetry` in the data directory; beside a Postgres server there is none, and the
    /// process keeps nothing unless this names a folder. Environment: `VITRINE_TELEMETRY`, which also takes `off`.
    package var folder: String?
    package var isOff = false
    /// How long, and how much, and where it goes then; see `SignalStore.Settings`. Environment: `VITRINE_TELEMETRY_DAYS`,
    /// `VITRINE_TELEMETRY_MEGABYTES`, `VITRINE_TELEMETRY_SERIES_MAX`,
    /// `VITRINE_TELEMETRY_SENDER_SERIES_MAX`, `VITRINE_TELEMETRY_ARCHIVE`.
    package var store = SignalStore.Settings()
    /// Spans a second of the shop's own traces that its sampler does not keep, for the hot window. Default 1,000.
    /// Environment: `VITRINE_TELEMETRY_HOT_SPANS`.
    package var hotSpansPerSecondMax = 1_000
    /// A file with `scrape_configs`, such as a `prometheus.yml`: targets that are asked for their metrics. Default none.
    /// Environment: `VITRINE_SCRAPE`.
    package var scrapeFile: String?
    /// Address and port; 0 takes a free one. Default the shop's address and 8081. Environment:
    /// `VITRINE_OBSERVATORY_HOST`, `VITRINE_OBSERVATORY_PORT`.
    package var host: String?
    package var port = 8_081
    /// What operators and their tools identify themselves with, as `Authorization: Bearer` or as the password of `Basic`.
    /// Default none: then it takes the shop's API keys with `read:telemetry`. Environment: `VITRINE_OBSERVATORY_TOKEN`. Set
    /// it, because it holds while the shop's database is away.
    package var token: String?
    /// Where `vitrine observe` takes OTLP on ports of its own. Default 127.0.0.1, where nobody is asked for the token.
    /// Environment: `VITRINE_OTLP_HOST`.
    package var otlpHost: String?

    static let help = """
        VITRINE_TELEMETRY        directory where telemetry is kept (DATA/telemetry; none on Postgres), or off
        VITRINE_TELEMETRY_DAYS   how long it is kept (15)
        VITRINE_TELEMETRY_MEGABYTES   how much is kept, of metrics, of spans and of log records each (10240)
        VITRINE_TELEMETRY_SERIES_MAX  series that one metric may have (100000)
        VITRINE_TELEMETRY_SENDER_SERIES_MAX  and one sender, by its job (500000)
        VITRINE_TELEMETRY_HOT_SPANS   spans a second of traces that are sampled out that stay for an hour (1000)
        VITRINE_TELEMETRY_ARCHIVE     directory where what is over goes instead of away (none)
        VITRINE_SCRAPE           file with the scrape_configs of a prometheus.yml (none)
        VITRINE_OBSERVATORY_HOST     address where the observatory answers (that of the shop)
        VITRINE_OBSERVATORY_PORT     its port, 0 for a free one (8081)
        VITRINE_OBSERVATORY_TOKEN    the operators' token for it (none: API keys with read:telemetry)
        """

    init(
        text: (String) -> String?, number: (String, ClosedRange<Int>, Int) throws -> Int
    ) throws {
        let place = text("VITRINE_TELEMETRY")
        isOff = place == "off"
        folder = isOff ? nil : place
        store.retention = .seconds(86_400 * (try number("VITRINE_TELEMETRY_DAYS", 1...3_650, 15)))
        let bytesMax = try number("VITRINE_TELEMETRY_MEGABYTES", 16...100_000_000, 10_240) << 20
        (store.metricBytesMax, store.traceBytesMax, store.logRecordBytesMax) = (bytesMax, bytesMax, bytesMax)
        store.seriesPerMetricMax = try number(
            "VITRINE_TELEMETRY_SERIES_MAX", 1...10_000_000, store.seriesPerMetricMax)
        store.archive = text("VITRINE_TELEMETRY_ARCHIVE").map { folder in
            Archive { name in try FileDisk("\(folder)/\(name)") }
        }
        store.seriesPerSenderMax = try number(
            "VITRINE_TELEMETRY_SENDER_SERIES_MAX", 1...10_000_000, store.seriesPerSenderMax)
        hotSpansPerSecondMax = try number("VITRINE_TELEMETRY_HOT_SPANS", 0...1_000_000, hotSpansPerSecondMax)
        scrapeFile = text("VITRINE_SCRAPE")
        host = text("VITRINE_OBSERVATORY_HOST")
        port = try number("VITRINE_OBSERVATORY_PORT", 0...65_535, port)
        token = text("VITRINE_OBSERVATORY_TOKEN")
        otlpHost = text("VITRINE_OTLP_HOST")
    }
}
