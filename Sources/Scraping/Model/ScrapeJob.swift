// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Targets that are scraped alike (Prometheus, `scrape_config`).
package struct ScrapeJob: Sendable {
    package enum Family: Sendable { case ipv4, ipv6 }

    /// Where targets are found.
    package enum Discovery: Sendable {
        case fixed(targets: [String], labels: [MetricLabel])
        /// Files of targets, as JSON or YAML; read again every so often.
        case files([String])
        /// Names whose addresses are targets, with their port.
        case dns(names: [String], port: Int, Family)
        /// Names of services, of which name servers say hosts and ports.
        case services([String])
    }

    /// What a scrape may bring; 0 is no limit. A scrape that brings more fails as a whole.
    package struct Limits: Sendable {
        package var bodyBytes = 64 << 20
        package var samples = 0
        package var labels = 0
        package var labelNameBytes = 0
        package var labelValueBytes = 0

        package init() {}
    }

    package var name: String
    package var interval: Duration = .seconds(60)
    package var timeout: Duration = .seconds(10)
    package var scheme = "http"
    package var path = "/metrics"
    package var parameters: [(name: String, value: String)] = []
    /// Labels that the target names win over those that its job gives it.
    package var honorsLabels = false
    /// Times that the target names are taken.
    package var honorsTimes = true
    /// `Authorization`, where one is to be sent.
    package var authorization: String?
    package var discoveries: [Discovery] = []
    package var targetSteps: [RelabelStep] = []
    package var sampleSteps: [RelabelStep] = []
    package var limits = Limits()

    package init(_ name: String) { self.name = name }
}

/// One thing to be scraped.
struct Target: Hashable, Sendable {
    /// What its series get; `job` and `instance` among them.
    let labels: LabelSet
    let url: String

    /// - Returns: `nil` where the job's steps drop it.
    /// - Throws: `Pattern.PatternError`.
    init?(_ found: LabelSet, of job: ScrapeJob, _ relabelling: Relabelling) throws {
        var labels = found
        let facts = [("job", job.name), ("__scheme__", job.scheme), ("__metrics_path__", job.path)]
        for (name, value) in facts where labels[name].isEmpty { labels = labels.with(name, value) }
        for (name, value) in job.parameters where labels["__param_" + name].isEmpty {
            labels = labels.with("__param_" + name, value)
        }
        guard let kept = try relabelling.applied(to: labels), !kept["__address__"].isEmpty else { return nil }
        let address = kept["__address__"]
        var query: [String] = []
        var seen: Set<String> = []
        for (name, value) in job.parameters {
            // The first of a name is what relabelling made of it.
            let isFirst = seen.insert(name).inserted
            query.append(Self.pair(name, isFirst ? kept.first("__param_" + name, else: value) : value))
        }
        url =
            "\(kept["__scheme__"])://\(address)\(kept["__metrics_path__"])"
            + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        let instance = kept["instance"].isEmpty ? address : kept["instance"]
        self.labels = LabelSet(kept.labels.filter { !$0.name.hasPrefix("__") } + [MetricLabel("instance", instance)])
    }

    private static func pair(_ name: String, _ value: String) -> String { "\(escaped(name))=\(escaped(value))" }

    private static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { text, byte in
            let isPlain =
                byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            if isPlain {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}

extension LabelSet {
    fileprivate func first(_ name: String, else other: String) -> String { self[name].isEmpty ? other : self[name] }
}
