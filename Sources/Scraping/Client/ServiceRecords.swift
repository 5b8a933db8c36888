// SPDX-License-Identifier: Apache-2.0

internal import CResolv

/// Where a service is, as name servers say it (RFC 2782).
enum ServiceRecords {
    struct Record: Equatable {
        let host: String
        let port: Int
    }

    /// The most that one answer can have.
    private static let bytesMax = 65_535

    /// Asks, and waits for the answer: some seconds where none comes.
    ///
    /// - Parameters:
    ///   - name: such as `_metrics._tcp.example.com`.
    ///   - server: the port of a name server on this machine to ask instead of the system's.
    /// - Returns: Each once; nothing where there is no answer. A service that is said to be nowhere, by a dot, is none.
    static func find(_ name: String, server: UInt16 = 0) -> [Record] {
        var answer = [UInt8](repeating: 0, count: bytesMax)
        let count = service_query(name, server, &answer, Int32(answer.count))
        guard count > 0 else { return [] }
        var (found, place, record) = ([Record](), Int32(0), service_record())
        while true {
            let kind = service_record_at(answer, count, place, &record)
            guard kind >= 0 else { return found }
            let host = withUnsafeBytes(of: record.host) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            let one = Record(host: host, port: Int(record.port))
            if kind == 1, !host.isEmpty, host != ".", !found.contains(one) { found.append(one) }
            place += 1
        }
    }
}
