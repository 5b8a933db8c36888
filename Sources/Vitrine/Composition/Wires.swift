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
        wired.databaseURL = try await wires.lead(configuration.databaseURL, .database, faults)
        for place in wired.replicaURLs.indices {
            let url = try await wires.lead(wired.replicaURLs[place], .database, faults)
            wired.replicaURLs[place] = url ?? wired.replicaURLs[place]
        }
        wired.limits.redisURL = try await wires.lead(configuration.limits.redisURL, .redis, faults)
        let led = try await wires.lead(configuration.stripe?.address, .payment, faults)
        if let led { wired.stripe?.address = led }
        return (wired, wires)
    }

    /// The wires that ``laid(in:)`` would lay.
    static func edges(of configuration: Configuration) -> Set<String> {
        let places: [(Kind, String?)] = [
            (.database, configuration.databaseURL), (.redis, configuration.limits.redisURL),
            (.payment, configuration.stripe?.address),
        ]
        return Set(places.compactMap { kind, text in text.flatMap(kind.server).map { _ in kind.rawValue } })
    }

    func cut() async {
        for relay in relays { await relay.close() }
    }

    private enum Kind: String {
        case database = "database.wire"
        case redis = "redis.wire"
        case payment = "payment.wire"

        /// Where an address leads; `nil` where it is not plainly one server on a network. What is reached by a socket of this
        /// machine has no wire, because a relay's port would let in whoever the socket's rights keep out.
        func server(_ text: String) -> (parts: URLComponents, host: String, port: Int)? {
            guard let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty, !host.hasPrefix("/"),
                !host.contains(",")
            else { return nil }
            let own = Set(parts.queryItems?.map(\.name) ?? [])
            switch (self, parts.scheme) {
            // What stands behind the question mark goes before what stands in front of it.
            case (.database, "postgres"), (.database, "postgresql"):
                guard own.isDisjoint(with: ["host", "hostaddr", "port", "service"]) else { return nil }
                return (parts, host, parts.port ?? 5_432)
            case (.redis, "redis"): return (parts, host, parts.port ?? 6_379)
            // The provider's name is what its certificate is for, so that only one without TLS is led elsewhere.
            case (.payment, "http"): return (parts, host, parts.port ?? 80)
            default: return nil
            }
        }
    }

    /// - Returns: the address of a relay to the server that `text` names; `text` where it names none that has a wire.
    private mutating func lead(_ text: String?, _ kind: Kind, _ faults: FaultInjector) async throws -> String? {
        guard let text, let found = kind.server(text) else { return text }
        // Brackets belong to the address, not to one of IPv6.
        let host = found.host.hasPrefix("[") ? String(found.host.dropFirst().dropLast()) : found.host
        let relay = try await FaultRelay.open(at: kind.rawValue, to: host, port: found.port, faults)
        relays.append(relay)
        var parts = found.parts
        parts.port = relay.port
        if kind == .database {
            // libpq goes there and still holds the certificate against the name.
            parts.queryItems = (parts.queryItems ?? []) + [URLQueryItem(name: "hostaddr", value: "127.0.0.1")]
        } else {
            parts.host = "127.0.0.1"
        }
        return parts.string ?? text
    }
}
