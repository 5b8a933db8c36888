// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import RateLimiting

/// The limits of the API, in the order in which a request is held to them.
package enum LimitName: String, CaseIterable, Sendable {
    /// Keys that nobody holds, by address: guessing costs more than it brings.
    case signIn = "sign-in"
    /// Requests without a key, by address; of IPv6 by the network of 64 bits.
    case anonymous
    /// The same by the networks of 56 and 48 bits that somebody may have to himself.
    case anonymous56 = "anonymous-56"
    case anonymous48 = "anonymous-48"
    /// Units of a key, by its tier.
    case standard
    case partner
    /// Units of searches and of changes, beside those; not for partners.
    case search
    case writes
    /// Requests that are worked on at the same time for one key or address.
    case open

    /// The place among all, which is asked for several times a request.
    var index: Int {
        switch self {
        case .signIn: 0
        case .anonymous: 1
        case .anonymous56: 2
        case .anonymous48: 3
        case .standard: 4
        case .partner: 5
        case .search: 6
        case .writes: 7
        case .open: 8
        }
    }
}

/// Some of the limits, as bits.
struct LimitNames: OptionSet, Sendable {
    let rawValue: Int

    init(rawValue: Int) { self.rawValue = rawValue }

    init(_ names: some Sequence<LimitName>) { self.init(rawValue: names.reduce(0) { $0 | 1 << $1.index }) }

    func contains(_ name: LimitName) -> Bool { rawValue & 1 << name.index != 0 }
}

/// How much each may use, and what became of it at start: `VITRINE_LIMITS`.
package struct LimitSettings: Sendable {
    /// Beside the units that endpoints cost (`x-vitrine-cost` in the OpenAPI document): a read 1, a search 5, an order 10.
    package var policies: [RatePolicy] = [
        .slidingWindow(LimitName.signIn.rawValue, limit: 30, per: .seconds(60)),
        .slidingWindow(LimitName.anonymous.rawValue, limit: 300, per: .seconds(60)),
        .slidingWindow(LimitName.anonymous56.rawValue, limit: 1_200, per: .seconds(60)),
        .slidingWindow(LimitName.anonymous48.rawValue, limit: 4_800, per: .seconds(60)),
        .slidingWindow(LimitName.standard.rawValue, limit: 6_000, per: .seconds(60)),
        .slidingWindow(LimitName.partner.rawValue, limit: 60_000, per: .seconds(60)),
        .tokenBucket(LimitName.search.rawValue, limit: 3_000, per: .seconds(60), burst: 500),
        .tokenBucket(LimitName.writes.rawValue, limit: 3_000, per: .seconds(60), burst: 1_000),
        .concurrency(LimitName.open.rawValue, limit: 64),
    ]
    package var off: Set<LimitName> = []
    /// A Redis in which all processes count together; each counts for itself without. Environment: `VITRINE_REDIS`.
    package var redisURL: String?
    /// The longest that a request waits for Redis. Default 10 ms.
    package var redisTimeMax = Duration.milliseconds(10)
    package var proxies = TrustedProxies.none

    /// The largest that a key may have of its own.
    package static let unitsPerMinuteMax = 1_000_000

    package init() {
        for name in [LimitName.standard, .partner] { policies[name.index].keyLimitMax = Self.unitsPerMinuteMax }
        // What it protects is this process, and nobody is asked for a place in it.
        policies[LimitName.open.index].isPerProcess = true
    }

    /// Changes what `text` names: `standard=12000, search=off, writes=shadow, partner=100000/10` for units in seconds; `off`
    /// for none at all. `fails-open` and
    /// `fails-closed` say what becomes of a limit while Redis is away; else each process keeps to its share.
    /// - Throws: `Failure` with `misconfigured`.
    package mutating func apply(_ text: String) throws {
        if text == "off" {
            off = Set(LimitName.allCases)
            return
        }
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false).map { String($0).trimmingSpace }
            guard pair.count == 2, let name = LimitName(rawValue: pair[0]) else {
                let names = LimitName.allCases.map(\.rawValue).joined(separator: ", ")
                throw Self.misconfigured("\(part)", "Limits are \(names), each as name=units, or off for none")
            }
            try apply(pair[1], to: name)
        }
    }

    private mutating func apply(_ value: String, to name: LimitName) throws {
        switch value {
        case "off": off.insert(name)
        case "shadow": policies[name.index].isShadow = true
        case "fails-open": policies[name.index].whenStoreFails = .open
        case "fails-closed": policies[name.index].whenStoreFails = .closed
        default:
            let parts = value.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
            guard let limit = parts.first ?? nil, parts.count <= 2, limit >= 1 else {
                throw Self.misconfigured(
                    value, "\(name.rawValue) takes units, units/seconds, off, shadow, fails-open or fails-closed")
            }
            let window = policies[name.index].rule.window
            if parts.count == 2 {
                guard let seconds = parts[1], (1...31_536_000).contains(seconds), window != nil else {
                    throw Self.misconfigured(value, "\(name.rawValue) takes no such number of seconds")
                }
            }
            let seconds = parts.count == 2 ? Duration.seconds(parts[1] ?? 60) : window
            policies[name.index].rule = policies[name.index].rule.with(limit: limit, window: seconds)
            if policies[name.index].keyLimitMax != nil, let seconds {
                let most = Double(Self.unitsPerMinuteMax) * (seconds / .seconds(60))
                policies[name.index].keyLimitMax = Int(min(Double(RatePolicy.limitMax), max(1, most)))
            }
        }
    }

    private static func misconfigured(_ text: String, _ reason: String) -> Failure {
        Failure(.misconfigured, "VITRINE_LIMITS: \(reason), not “\(text.trimmingSpace)”.")
    }
}
