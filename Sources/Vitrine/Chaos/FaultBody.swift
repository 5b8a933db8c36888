// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Resilience
internal import Web

/// A fault as files and requests describe it.
struct FaultBody: WireBody {
    enum Edge: String, CaseIterable, Sendable {
        case databaseRead = "database.read"
        case databaseWrite = "database.write"
        case payment
        case endpoint
        case databaseWire = "database.wire"
        case redisWire = "redis.wire"
        case paymentWire = "payment.wire"

        /// Whether it is about bytes, which arrive slowly or as others.
        var hasBytes: Bool { self == .endpoint || isWire }
        var isWire: Bool { [.databaseWire, .redisWire, .paymentWire].contains(self) }
    }

    enum Kind: String, CaseIterable, Sendable {
        case latency, tail, error, reset, timeout, partition, bandwidth, drip, wrong

        var isOfBytes: Bool { [.bandwidth, .drip, .wrong].contains(self) }
    }

    let edge: Edge
    let kind: Kind
    let percent: Int
    let fromMilliseconds: Int
    let toMilliseconds: Int
    let bytesPerSecond: Int
    let route: String?
    let app: String?
    let header: String?
    let afterSeconds: Int
    let untilSeconds: Int?

    static let schema = Schema.object(
        "Fault", FaultBody.init,
        .required("edge", \.edge, .word, "Where it is made."), .required("kind", \.kind, .word),
        .standard("percent", \.percent, .integer(1...100), 100, "Of the calls."),
        .standard(
            "from_ms", \.fromMilliseconds, .integer(0...600_000), 0,
            "The least that latency adds; the mean of a tail; the pause before each byte of a drip."),
        .standard("to_ms", \.toMilliseconds, .integer(0...600_000), 1_000, "The most; how long a timeout waits."),
        .standard("bytes_per_second", \.bytesPerSecond, .integer(1...1_000_000_000), 1_000, "Of a bandwidth."),
        .optional("route", \.route, .string(1...200), "Of an endpoint, such as POST /v1/orders."),
        .optional("app", \.app, .string(1...200), "Of an endpoint: the identifier of the key that asks."),
        .optional("header", \.header, header, "Of an endpoint: what a request must carry, as `Name: value`."),
        .standard("after_seconds", \.afterSeconds, .integer(0...3_600), 0, "Since the faults began."),
        .optional(
            "until_seconds", \.untilSeconds, .integer(1...3_600), "Since the faults began; until they end without."))

    var fault: Fault {
        let (from, to) = (Duration.milliseconds(fromMilliseconds), Duration.milliseconds(toMilliseconds))
        let kind: Fault.Kind =
            switch kind {
            case .latency: .latency(from: min(from, to), to: max(from, to))
            case .tail: .tail(mean: from)
            case .error: .error
            case .reset: .reset
            case .timeout: .timeout(to)
            case .partition: .partition
            case .bandwidth: .bandwidth(bytesPerSecond)
            case .drip: .drip(from)
            case .wrong: .wrong
            }
        return Fault(
            at: edge.rawValue, share: Double(percent) / 100, kind, where: facts, from: .seconds(afterSeconds),
            until: untilSeconds.map { .seconds($0) })
    }

    private var facts: [String: String] {
        var facts: [String: String] = [:]
        // What is lost before it is made, and what is lost or garbled on the way back.
        if edge.isWire, kind == .error { facts["direction"] = "request" }
        if edge.isWire, [.reset, .wrong].contains(kind) { facts["direction"] = "answer" }
        facts["route"] = route
        facts["app"] = app
        if let header {
            let name = header.prefix { $0 != ":" }
            facts["header.\(name.lowercased())"] = String(header.dropFirst(name.count + 2))
        }
        return facts
    }

    private static let header = Schema<String>.string(
        pattern: "^[A-Za-z0-9_-]+: [!-~]+$", example: "X-Chaos: yes", lengths: 4...500
    ) { text in
        let bytes = Array(text.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0, bytes.count > colon + 2 else {
            return false
        }
        return bytes[..<colon].allSatisfy { isInName($0) }
            && bytes[colon + 1] == 0x20 && bytes[(colon + 2)...].allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func isInName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// Why it could never be done to anything, in a process that has these wires.
    func complaint(wires: Set<String>) -> String? {
        if edge != .endpoint, route != nil || app != nil || header != nil {
            return "route, app and header are of the edge endpoint."
        }
        if kind.isOfBytes, !edge.hasBytes { return "\(kind.rawValue) is of wires and of the edge endpoint." }
        if edge.isWire, !wires.contains(edge.rawValue) { return "This process has no \(edge.rawValue)." }
        if let untilSeconds, untilSeconds <= afterSeconds { return "until_seconds comes before after_seconds is over." }
        return nil
    }
}

extension FaultBody {
    /// A fault that came from such a body.
    init(_ fault: Fault) {
        var (from, to, rate) = (Duration.zero, Duration.seconds(1), 1_000)
        switch fault.kind {
        case .latency(let least, let most): (from, to) = (least, most)
        case .tail(let mean): from = mean
        case .timeout(let time): to = time
        case .drip(let pause): from = pause
        case .bandwidth(let bytes): rate = bytes
        case .error, .reset, .partition, .wrong: break
        }
        let header = fault.facts.first { $0.key.hasPrefix("header.") }
        self.init(
            edge: Edge(rawValue: fault.edge) ?? .endpoint, kind: Kind(rawValue: fault.name) ?? .error,
            percent: Int((fault.share * 100).rounded()), fromMilliseconds: from.wholeMilliseconds,
            toMilliseconds: to.wholeMilliseconds, bytesPerSecond: rate, route: fault.facts["route"],
            app: fault.facts["app"],
            header: header.map { "\($0.key.dropFirst("header.".count)): \($0.value)" },
            afterSeconds: Int(fault.from / .seconds(1)), untilSeconds: fault.until.map { Int($0 / .seconds(1)) })
    }
}
