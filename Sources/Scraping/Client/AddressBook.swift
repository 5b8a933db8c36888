// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Telemetry

/// Finds the targets of a job.
enum AddressBook {
    /// Targets by their labels. Where a file or a name cannot be read, `known` is asked for what it gave last.
    static func targets(of job: ScrapeJob, _ relabelling: Relabelling, _ known: inout [String: [LabelSet]]) throws
        -> [Target]
    {
        var found: [LabelSet] = []
        func add(_ fresh: [LabelSet]?, of source: String) {
            if let fresh { known[source] = fresh }
            found += known[source] ?? []
        }
        for discovery in job.discoveries {
            switch discovery {
            case .fixed(let targets, let labels): found += targets.map { Self.labels($0, labels) }
            case .files(let patterns): for path in patterns.flatMap(paths) { add(try? inFile(path), of: path) }
            case .dns(let names, let port, let family):
                for name in names {
                    let fresh = addresses(of: name, family).map {
                        Self.labels(
                            $0.contains(":") ? "[\($0)]:\(port)" : "\($0):\(port)",
                            [MetricLabel("__meta_dns_name", name)])
                    }
                    add(fresh.isEmpty ? nil : fresh, of: name)
                }
            case .services(let names):
                for name in names {
                    let fresh = ServiceRecords.find(name).map { labels(of: $0, name) }
                    add(fresh.isEmpty ? nil : fresh, of: name)
                }
            }
        }
        var targets: [Target] = []
        for labels in found {
            if let target = try Target(labels, of: job, relabelling), !targets.contains(target) {
                targets.append(target)
            }
        }
        return targets
    }

    private static func labels(_ address: String, _ labels: [MetricLabel]) -> LabelSet {
        LabelSet([MetricLabel("__address__", address)] + labels)
    }

    /// Of a service's host. That its name is whole, by the dot at the end, is told in its label and left out of the address, as
    /// Prometheus does.
    static func labels(of record: ServiceRecords.Record, _ name: String) -> LabelSet {
        labels(
            "\(record.host):\(record.port)",
            [
                MetricLabel("__meta_dns_name", name), MetricLabel("__meta_dns_srv_record_target", record.host + "."),
                MetricLabel("__meta_dns_srv_record_port", String(record.port)),
            ])
    }

    private static func inFile(_ path: String) throws -> [LabelSet] {
        let groups = try ScrapeConfiguration.groups(String(contentsOfFile: path, encoding: .utf8))
        return groups.flatMap { group -> [LabelSet] in
            guard case .fixed(let targets, let labels) = group else { return [] }
            return targets.map { Self.labels($0, labels + [MetricLabel("__meta_filepath", path)]) }
        }
    }

    /// Files that a path names, which may have `*` in its last part.
    private static func paths(_ pattern: String) -> [String] {
        guard pattern.contains("*") else { return [pattern] }
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    }

    private static func addresses(of name: String, _ family: ScrapeJob.Family) -> [String] {
        var (hints, list) = (addrinfo(), UnsafeMutablePointer<addrinfo>?.none)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_family = family == .ipv4 ? AF_INET : AF_INET6
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var (found, next) = ([String](), list)
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if status == 0, !found.contains(address) { found.append(address) }
            next = entry.pointee.ai_next
        }
        return found
    }
}
