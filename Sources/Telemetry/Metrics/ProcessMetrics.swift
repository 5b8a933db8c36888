// SPDX-License-Identifier: Apache-2.0

internal import CoreMetrics
internal import Foundation
internal import Synchronization

/// What the kernel knows of this process, under the names of Prometheus' client libraries. Read before each snapshot.
enum ProcessMetrics {
    static let descriptions = [
        MetricDescription("process_cpu_seconds", .counter, unit: "s", "CPU time used, user and system."),
        MetricDescription("process_resident_memory_bytes", .gauge, unit: "By", "Memory that is resident."),
        MetricDescription("process_virtual_memory_bytes", .gauge, unit: "By", "Address space in use."),
        MetricDescription("process_open_fds", .gauge, unit: "", "Open file descriptors."),
        MetricDescription("process_max_fds", .gauge, unit: "", "File descriptors that may be open."),
        MetricDescription("process_threads", .gauge, unit: "", "Threads."),
        MetricDescription("process_start_time_seconds", .gauge, unit: "s", "When the process began, since 1970."),
    ]

    static func install(in registry: MetricRegistry) {
        let cpu = registry.makeFloatingPointCounter(label: "process_cpu_seconds", dimensions: [])
        let seen = Mutex(0.0)
        let gauges = [
            "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds", "threads", "start_time_seconds",
        ]
        .map { registry.makeMeter(label: "process_" + $0, dimensions: []) }
        registry.beforeReading { _ in
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            let now = seconds(usage.ru_utime) + seconds(usage.ru_stime)
            cpu.increment(
                by: seen.withLock { seen in
                    defer { seen = now }
                    return now - seen
                })
            guard let facts = facts() else { return }
            for (gauge, value) in zip(gauges, facts) { gauge.set(value) }
        }
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// From `/proc/self` (proc(5)); `nil` where there is none.
    private static func facts() -> [Double]? {
        guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let uptime = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let boot = uptime.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = Double(boot.dropFirst(6)), let close = stat.lastIndex(of: ")")
        else { return nil }
        // From the third field on; the second is a name that may hold anything.
        let fields = stat[close...].dropFirst(2).split(separator: " ").map { Double($0) ?? 0 }
        guard fields.count > 21 else { return nil }
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        return [
            fields[21] * Double(sysconf(Int32(_SC_PAGESIZE))), fields[20], Double(open), Double(limit.rlim_cur),
            fields[17], bootTime + fields[19] / ticks,
        ]
    }
}
