// SPDX-License-Identifier: Apache-2.0

internal import Foundation
package import Kernel

/// Where a Redis server is: `redis://user:password@host:port/database`, or `redis+unix:///path?db=database`.
package struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
    package enum Place: Sendable, Hashable {
        case host(String, port: Int)
        case socket(path: String)
    }

    package let place: Place
    package let user: String?
    package let password: String?
    package let database: Int

    /// - Throws: `Failure` with `misconfigured`, which tells what is wrong and no password.
    package init(_ text: String) throws(Failure) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme else {
            throw Self.misconfigured("is no URL")
        }
        let number: String
        switch scheme {
        case "redis":
            guard let host = parts.host, !host.isEmpty else { throw Self.misconfigured("names no host") }
            // Brackets belong to the URL, not to an address of IPv6.
            let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
            place = .host(name, port: parts.port ?? 6_379)
            number = String(parts.path.dropFirst())
        case "redis+unix":
            guard !parts.path.isEmpty else { throw Self.misconfigured("names no path") }
            place = .socket(path: parts.path)
            number = parts.queryItems?.first { $0.name == "db" }?.value ?? ""
        case "rediss":
            throw Self.misconfigured("asks for TLS, which hiredis 0.14 does not speak; put a tunnel in front")
        default: throw Self.misconfigured("begins with neither redis:// nor redis+unix://")
        }
        guard let database = number.isEmpty ? 0 : Int(number), (0...65_535).contains(database) else {
            throw Self.misconfigured("has no number for its database")
        }
        self.database = database
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password
    }

    private static func misconfigured(_ reason: String) -> Failure {
        Failure(.misconfigured, "The address of Redis \(reason). Write redis://host:6379 or redis+unix:///path.")
    }

    /// Without the password.
    package var description: String {
        switch place {
        case .host(let host, let port): "redis://\(host):\(port)/\(database)"
        case .socket(let path): "redis+unix://\(path)?db=\(database)"
        }
    }
}
