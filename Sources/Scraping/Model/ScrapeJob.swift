// SPDX-License-Identifier: Apache-2.0

package import NIOSSL
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
    package var authorization: Authorization?
    /// How targets are known, and known to, over HTTPS; by the system's roots where there is none.
    package var tls: TLSConfiguration?
    package var followsRedirects = true
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
        var seen: Set<String> = []
        let query = job.parameters.map { name, value in
            // The first of a name is what relabelling made of it.
            let isFirst = seen.insert(name).inserted
            return (name: name, value: isFirst ? kept.first("__param_" + name, else: value) : value)
        }
        url =
            "\(kept["__scheme__"])://\(address)\(kept["__metrics_path__"])"
            + (query.isEmpty ? "" : "?" + FormText.of(query))
        let instance = kept["instance"].isEmpty ? address : kept["instance"]
        self.labels = LabelSet(kept.labels.filter { !$0.name.hasPrefix("__") } + [MetricLabel("instance", instance)])
    }
}

extension LabelSet {
    fileprivate func first(_ name: String, else other: String) -> String { self[name].isEmpty ? other : self[name] }
}
