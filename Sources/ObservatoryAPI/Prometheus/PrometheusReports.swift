// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Scraping
internal import Telemetry
internal import TelemetryStore

/// What Prometheus says about itself, said about the observatory.
enum PrometheusReports {
    /// Answers that do not change, by path below `/api/v1/`.
    static func fixed(version: String) -> [(path: String, body: [UInt8])] {
        [
            // Clients tell by the version what they may ask. There must be no `features`, which means another product to Grafana.
            (
                "status/buildinfo",
                object([("version", "3.0.0"), ("revision", version), ("branch", "vitrine"), ("goVersion", "")])
            ),
            ("status/flags", object([])), ("status/config", object([("yaml", "")])),
            ("status/runtimeinfo", object([("storageRetention", "")])),
            ("rules", PrometheusAnswers.success { list("groups", &$0) }),
            ("alerts", PrometheusAnswers.success { list("alerts", &$0) }),
            ("alertmanagers", PrometheusAnswers.success { list("activeAlertmanagers", &$0) }),
        ]
    }

    private static func object(_ members: [(String, String)]) -> [UInt8] {
        PrometheusAnswers.success { writer in
            writer.beginObject()
            for (name, value) in members {
                writer.name(name)
                writer.string(value)
            }
            writer.endObject()
        }
    }

    private static func list(_ name: String, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.name(name)
        writer.beginArray()
        writer.endArray()
        writer.endObject()
    }

    static func targets(_ reports: [Scraper.Report]) -> [UInt8] {
        PrometheusAnswers.success { writer in
            writer.beginObject()
            writer.name(plain: "activeTargets")
            writer.beginArray()
            for report in reports {
                writer.beginObject()
                writer.name(plain: "labels")
                PrometheusAnswers.labels(report.labels, &writer)
                let texts = [
                    ("scrapePool", report.job), ("scrapeUrl", report.url), ("lastError", report.fault),
                    ("health", report.fault.isEmpty ? "up" : "down"),
                    ("lastScrape", Timestamp(milliseconds: report.lastScrape).description),
                ]
                for (name, text) in texts {
                    writer.name(name)
                    writer.string(text)
                }
                writer.name(plain: "lastScrapeDuration")
                writer.raw("\(report.took)")
                writer.endObject()
            }
            writer.endArray()
            writer.name(plain: "droppedTargets")
            writer.beginArray()
            writer.endArray()
            writer.endObject()
        }
    }

    /// What is in the store, and who has the most series in it.
    static func store(_ statistics: SignalStore.Statistics) -> [UInt8] {
        PrometheusAnswers.success { writer in
            writer.beginObject()
            writer.name("headStats")
            writer.beginObject()
            writer.name("numSeries")
            writer.integer(Int64(statistics.headSeries))
            writer.endObject()
            writer.name("seriesCountByMetricName")
            writer.beginArray()
            for metric in statistics.largestMetrics {
                writer.beginObject()
                writer.name("name")
                writer.string(metric.name)
                writer.name("value")
                writer.integer(Int64(metric.series))
                writer.endObject()
            }
            writer.endArray()
            writer.endObject()
        }
    }

    /// What is on disk, of its own kind beside Prometheus' reports: bytes and records of each signal, and who has the most series.
    static func storage(_ statistics: SignalStore.Statistics) -> [UInt8] {
        PrometheusAnswers.success { writer in
            writer.object { writer in
                writer.member("signals", statistics.signals) { signal, writer in
                    writer.object { writer in
                        writer.member("signal", signal.signal.rawValue)
                        writer.member("bytes", signal.bytes)
                        writer.member("budget_bytes", signal.bytesMax)
                        writer.member("parts", signal.parts)
                        writer.member("records", signal.rows)
                        writer.member("packed", signal.packed)
                        if let oldest = signal.oldest {
                            writer.member("oldest", Timestamp(milliseconds: oldest).rfc3339)
                        }
                    }
                }
                writer.member("log_bytes", statistics.logBytes)
                writer.member("days", Int(statistics.retention.wholeMilliseconds / 86_400_000))
                writer.member("series_max", statistics.seriesPerMetricMax)
                writer.member("damaged", statistics.damaged) { $1.string($0) }
                writer.member("metrics", statistics.largestMetrics, write)
                writer.member("senders", statistics.largestSenders, write)
            }
        }
    }

    private static func write(_ subject: SignalStore.Statistics.Subject, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", subject.name)
            writer.member("series", subject.series)
            writer.member("excess", subject.excess)
        }
    }
}
