// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry
internal import Yams

/// `scrape_configs` as Prometheus reads them, from a file of its own or from a `prometheus.yml`.
package enum ScrapeConfiguration {
    /// Jobs from a file.
    ///
    /// - Throws: `Failure` with `misconfigured`, which says what is wrong where. What is not known is refused, so that nothing
    ///   is left out silently; only other parts of a `prometheus.yml` are passed over.
    package static func jobs(inFile path: String) throws -> [ScrapeJob] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure(.misconfigured, "The file \(path) of scrape jobs cannot be read.")
        }
        do { return try jobs(text) } catch let failure as Failure {
            throw Failure(.misconfigured, "\(path): \(failure.message)", cause: failure.cause)
        }
    }

    static func jobs(_ text: String) throws -> [ScrapeJob] {
        let root: Any?
        do { root = try Yams.load(yaml: text) } catch { throw wrong("\(error)") }
        guard let document = root as? [String: Any] else { throw wrong("there is no scrape_configs") }
        let global = Section(document["global"] as? [String: Any] ?? [:], "global")
        var standard = ScrapeJob("")
        standard.interval = try global.duration("scrape_interval") ?? standard.interval
        standard.timeout = try global.duration("scrape_timeout") ?? standard.timeout
        guard let list = document["scrape_configs"] as? [[String: Any]] else {
            throw wrong("there is no scrape_configs")
        }
        var jobs: [ScrapeJob] = []
        for members in list {
            let job = try job(Section(members, "scrape_configs"), standard)
            guard !jobs.contains(where: { $0.name == job.name }) else {
                throw wrong("the job \(job.name) is there twice")
            }
            jobs.append(job)
        }
        return jobs
    }

    private static func job(_ section: Section, _ standard: ScrapeJob) throws -> ScrapeJob {
        guard let name = try section.text("job_name"), !name.isEmpty else { throw wrong("a job has no job_name") }
        let section = section.named("job \(name)")
        var job = standard
        job.name = name
        job.interval = try section.duration("scrape_interval") ?? job.interval
        job.timeout = try section.duration("scrape_timeout") ?? min(job.timeout, job.interval)
        guard job.timeout <= job.interval else { throw wrong("job \(name): scrape_timeout exceeds scrape_interval") }
        job.scheme = try section.text("scheme") ?? job.scheme
        job.path = try section.text("metrics_path") ?? job.path
        job.honorsLabels = try section.flag("honor_labels") ?? job.honorsLabels
        job.honorsTimes = try section.flag("honor_timestamps") ?? job.honorsTimes
        job.parameters = try section.section("params")?.lists() ?? []
        job.limits.samples = try section.number("sample_limit") ?? 0
        job.limits.labels = try section.number("label_limit") ?? 0
        job.limits.labelNameBytes = try section.number("label_name_length_limit") ?? 0
        job.limits.labelValueBytes = try section.number("label_value_length_limit") ?? 0
        job.limits.bodyBytes = try section.bytes("body_size_limit") ?? job.limits.bodyBytes
        job.authorization = try authorization(section)
        job.tls = try tls(section)
        job.followsRedirects = try section.flag("follow_redirects") ?? job.followsRedirects
        job.discoveries = try discoveries(section)
        job.targetSteps = try section.sections("relabel_configs").map(step)
        job.sampleSteps = try section.sections("metric_relabel_configs").map(step)
        try section.refuseOthers()
        for steps in [job.targetSteps, job.sampleSteps] {
            do { _ = try Relabelling(steps) } catch { throw wrong("job \(name): \(error)") }
        }
        return job
    }

    private static func discoveries(_ section: Section) throws -> [ScrapeJob.Discovery] {
        var found: [ScrapeJob.Discovery] = []
        for group in try section.sections("static_configs") { found.append(try self.group(group)) }
        for files in try section.sections("file_sd_configs") {
            found.append(.files(try files.texts("files")))
            _ = try files.duration("refresh_interval")
            try files.refuseOthers()
        }
        for dns in try section.sections("dns_sd_configs") {
            let (type, names) = (try dns.text("type") ?? "SRV", try dns.texts("names"))
            switch (type, try dns.number("port")) {
            case ("SRV", _): found.append(.services(names))
            case ("A", let port?): found.append(.dns(names: names, port: port, .ipv4))
            case ("AAAA", let port?): found.append(.dns(names: names, port: port, .ipv6))
            default: throw wrong("dns_sd_configs takes type SRV, or A or AAAA with a port")
            }
            _ = try dns.duration("refresh_interval")
            try dns.refuseOthers()
        }
        return found
    }

    private static func group(_ section: Section) throws -> ScrapeJob.Discovery {
        let targets = try section.texts("targets")
        let labels = try section.section("labels")?.pairs().map { MetricLabel($0.name, $0.value) } ?? []
        try section.refuseOthers()
        return .fixed(targets: targets, labels: labels)
    }

    /// Groups of targets, as files of them have, in JSON or YAML.
    static func groups(_ text: String) throws -> [ScrapeJob.Discovery] {
        guard let list = try? Yams.load(yaml: text) as? [[String: Any]] else { throw wrong("is no list of targets") }
        return try list.map { try group(Section($0, "targets")) }
    }

    private static func step(_ section: Section) throws -> RelabelStep {
        var step = RelabelStep()
        if let name = try section.text("action") {
            guard let action = RelabelStep.Action(rawValue: name.lowercased()) else {
                throw wrong("there is no action “\(name)” of relabelling")
            }
            step.action = action
        }
        step.sourceLabels = try section.texts("source_labels")
        step.separator = try section.text("separator") ?? step.separator
        step.targetLabel = try section.text("target_label") ?? ""
        step.regex = try section.text("regex") ?? step.regex
        step.modulus = UInt64(try section.number("modulus") ?? 0)
        step.replacement = try section.text("replacement") ?? step.replacement
        try section.refuseOthers()
        return step
    }

    static func wrong(_ words: String) -> Failure { Failure(.misconfigured, words + ".") }
}
