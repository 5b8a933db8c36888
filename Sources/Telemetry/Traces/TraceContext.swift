// SPDX-License-Identifier: Apache-2.0

public import ServiceContextModule
internal import Synchronization

/// The 16 bytes that name a trace.
public struct TraceID: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 16 random bytes; W3C Trace Context level 2 wants at least the last 7 of them random.
    public static func random() -> TraceID {
        TraceID(high: IdentifierSource.next(), low: max(1, IdentifierSource.next()))
    }

    /// All zeros name nothing.
    public var isValid: Bool { high != 0 || low != 0 }

    /// 32 lower-case hexadecimal digits.
    public var hex: String { Hex.text(high) + Hex.text(low) }
}

/// Where a span stands in its trace, as it travels from process to process (W3C Trace Context, level 2).
public struct TraceContext: Hashable, Sendable {
    public var traceID: TraceID
    public var spanID: UInt64
    /// Whether the caller records the trace.
    public var isSampled: Bool
    /// Whether the last seven bytes of the trace's id are random.
    public var isRandom: Bool
    /// What other tracing systems hand on, as it came.
    public var state: String

    public init(
        traceID: TraceID, spanID: UInt64, isSampled: Bool = true, isRandom: Bool = true, state: String = ""
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.isRandom = isRandom
        self.state = state
    }

    /// 16 lower-case hexadecimal digits.
    public var spanHex: String { Hex.text(spanID) }

    // MARK: Headers

    /// `traceparent`, in version 00.
    public var traceparent: String {
        String(unsafeUninitializedCapacity: Self.length) { buffer in
            buffer.update(repeating: UInt8(ascii: "-"))
            Hex.write(0, digits: 2, to: buffer, at: 0)
            Hex.write(traceID.high, digits: 16, to: buffer, at: 3)
            Hex.write(traceID.low, digits: 16, to: buffer, at: 19)
            Hex.write(spanID, digits: 16, to: buffer, at: 36)
            Hex.write((isSampled ? 1 : 0) | (isRandom ? 2 : 0), digits: 2, to: buffer, at: 53)
            return Self.length
        }
    }

    /// Of a `traceparent` in version 00.
    private static let length = 55

    /// - Returns: `nil` for what is no valid `traceparent`; the caller then begins a trace of its own.
    public init?(traceparent: String, tracestate: String = "") {
        let bytes = Array(traceparent.utf8)
        let hyphen = UInt8(ascii: "-")
        guard bytes.count >= Self.length, let version = Hex.value(bytes[0..<2]), version != 0xFF,
            bytes.count == Self.length || version != 0 && bytes[Self.length] == hyphen,
            bytes[2] == hyphen, bytes[35] == hyphen, bytes[52] == hyphen,
            let high = Hex.value(bytes[3..<19]), let low = Hex.value(bytes[19..<35]),
            let span = Hex.value(bytes[36..<52]), let flags = Hex.value(bytes[53..<55]),
            high != 0 || low != 0, span != 0
        else { return nil }
        self.init(
            traceID: TraceID(high: high, low: low), spanID: span, isSampled: flags & 1 != 0, isRandom: flags & 2 != 0,
            state: TraceState.normalized(tracestate))
    }
}

/// `tracestate` (W3C Trace Context, section 3.3).
enum TraceState {
    private static let membersMax = 32
    private static let bytesMax = 512

    /// The members in order, each key once; empty where one of them is invalid or there are more than 32. What exceeds 512
    /// bytes loses its longest members first, those over 128 bytes, then its last.
    static func normalized(_ header: String) -> String {
        var members: [(key: Substring, text: String)] = []
        for part in header.split(separator: ",", omittingEmptySubsequences: true) {
            let text = part.trimmed
            if text.isEmpty { continue }
            guard let equals = text.firstIndex(of: "="), isKey(text[..<equals]), isValue(text[equals...].dropFirst())
            else {
                return ""
            }
            if members.contains(where: { $0.key == text[..<equals] }) { continue }
            members.append((key: text[..<equals], text: String(text)))
        }
        guard members.count <= membersMax else { return "" }
        func bytes() -> Int { members.reduce(members.count - 1) { $0 + $1.text.utf8.count } }
        if bytes() > bytesMax { members.removeAll { $0.text.utf8.count > 128 } }
        while bytes() > bytesMax { members.removeLast() }
        return members.map(\.text).joined(separator: ",")
    }

    private static func isKey(_ key: Substring) -> Bool {
        guard let first = key.utf8.first, key.utf8.count <= 256 else { return false }
        let isLower = { (byte: UInt8) in byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") }
        let isDigit = { (byte: UInt8) in byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
        return (isLower(first) || isDigit(first))
            && key.utf8.allSatisfy { isLower($0) || isDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isValue(_ value: Substring) -> Bool {
        (1...256).contains(value.utf8.count)
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7E && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
            && value.utf8.last != 0x20
    }
}

extension Substring {
    /// Without the spaces and tabs around it.
    var trimmed: Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}

/// Random numbers for identifiers: SplitMix64 (Steele, Lea and Flood, 2014) from a seed of the kernel's. The kernel's own
/// cost a system call each, which is more than all the rest of a span.
enum IdentifierSource {
    private static let state = Atomic<UInt64>(SystemRandomNumberGenerator().seed)

    static func next() -> UInt64 {
        var value = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

extension SystemRandomNumberGenerator {
    fileprivate var seed: UInt64 {
        var copy = self
        return copy.next()
    }
}

enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            write(value, digits: 16, to: buffer, at: 0)
            return 16
        }
    }

    /// The last `digits` of a value.
    static func write(_ value: UInt64, digits count: Int, to buffer: UnsafeMutableBufferPointer<UInt8>, at start: Int) {
        for place in 0..<count { buffer[start + place] = digits[Int(value >> UInt64(4 * (count - 1 - place)) & 15)] }
    }

    /// At most 16 digits, lower case only, as Trace Context wants them.
    static func value(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for byte in digits {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}

// MARK: In the service context

/// Where in a trace the work at hand stands.
struct TracePosition: Sendable {
    var trace: TraceContext
    /// The span at work; `nil` where it belongs to another process or has ended.
    var live: LiveSpan?
}

private enum TracePositionKey: ServiceContextKey {
    typealias Value = TracePosition
    static let nameOverride: String? = "trace"
}

private enum BaggageKey: ServiceContextKey {
    typealias Value = Baggage
    static let nameOverride: String? = "baggage"
}

private enum CorrelationKey: ServiceContextKey {
    typealias Value = String
    static let nameOverride: String? = "correlation_id"
}

extension ServiceContext {
    var position: TracePosition? {
        get { self[TracePositionKey.self] }
        set { self[TracePositionKey.self] = newValue }
    }

    /// The same as to set it to `nil`, and cheaper where there is nothing else.
    mutating func forgetPosition() {
        guard position != nil else { return }
        if count == 1 { self = .topLevel } else { position = nil }
    }

    /// The span at work, or the caller's. Set it to go on with a trace that came by another way than headers.
    public var trace: TraceContext? {
        get { position?.trace }
        set { position = newValue.map { TracePosition(trace: $0, live: nil) } }
    }

    public var baggage: Baggage? {
        get { self[BaggageKey.self] }
        set { self[BaggageKey.self] = newValue }
    }

    /// What the client calls the work that the request belongs to; 1 to 128 letters, digits and `._:-`.
    public var correlationID: String? {
        get { self[CorrelationKey.self] }
        set { self[CorrelationKey.self] = newValue.flatMap { Self.isCorrelationID($0) ? $0 : nil } }
    }

    private static func isCorrelationID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
                    || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || "._:-".utf8.contains(byte)
            }
    }
}
