// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Payments
internal import Resilience
internal import Web

/// Relays between this process and the servers that it depends on, where faults may be done to the bytes between them; none
/// elsewhere.
struct Wires: Sendable {
    private var relays: [FaultRelay] = []

    var edges: Set<String> { Set(relays.map(\.edge)) }

    /// Leads every connection of a process that may make faults through a relay.
    /// - Returns: the settings with the relays' addresses.
    /// - Throws: where no port can be had.
    static func laid(in configuration: Configuration) async throws -> (Configuration, Wires) {
        var (wired, wires) = (configuration, Wires())
        guard let faults = configuration.faults else { return (wired, wires) }
        wired.databaseURL = try await wires.lead(configuration.databaseURL, "database.wire", 5_432, faults)
        for place in wired.replicaURLs.indices {
            let url = try await wires.lead(wired.replicaURLs[place], "database.wire", 5_432, faults)
            wired.replicaURLs[place] = url ?? wired.replicaURLs[place]
        }
        wired.limits.redisURL = try await wires.lead(configuration.limits.redisURL, "redis.wire", 6_379, faults)
        // The provider's name is what its certificate is for, so that only one without TLS is led elsewhere.
        if let address = configuration.stripe?.address, address.hasPrefix("http://") {
            let led = try await wires.lead(address, "payment.wire", 80, faults)
            wired.stripe?.address = led ?? address
        }
        return (wired, wires)
    }

    func cut() async {
        for relay in relays { await relay.close() }
    }

    /// - Returns: the address of a relay to the server that `text` names; `text` where that is no address of one server.
    private mutating func lead(
        _ text: String?, _ edge: String, _ standardPort: Int, _ faults: FaultInjector
    ) async throws -> String? {
        guard let text, var parts = URLComponents(string: text) else { return text }
        let port = parts.port ?? standardPort
        // Where Postgres and Redis take the folder or the file of a socket.
        let folder = parts.queryItems?.first { $0.name == "host" }?.value
        let server: FaultRelay.Server
        if parts.scheme == "redis+unix" {
            server = .socket(path: parts.path)
        } else if let folder, folder.hasPrefix("/") {
            server = .socket(path: "\(folder)/.s.PGSQL.\(port)")
        } else if let host = parts.host, !host.isEmpty, !host.contains(","), folder == nil {
            server = .host(host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host, port: port)
        } else {
            return text
        }
        let relay = try await FaultRelay.open(at: edge, to: server, faults)
        relays.append(relay)
        parts.port = relay.port
        switch (server, edge) {
        case (.socket, "redis.wire"):
            let database = parts.queryItems?.first { $0.name == "db" }?.value ?? "0"
            (parts.scheme, parts.host, parts.path, parts.queryItems) = ("redis", "127.0.0.1", "/" + database, nil)
        case (.host, "database.wire"):
            // libpq goes there and still holds the certificate against the name.
            parts.queryItems = (parts.queryItems ?? []) + [URLQueryItem(name: "hostaddr", value: "127.0.0.1")]
        case (.socket, _):
            parts.host = "127.0.0.1"
            let others = parts.queryItems?.filter { $0.name != "host" } ?? []
            parts.queryItems = others.isEmpty ? nil : others
        default: parts.host = "127.0.0.1"
        }
        return parts.string ?? text
    }
}
