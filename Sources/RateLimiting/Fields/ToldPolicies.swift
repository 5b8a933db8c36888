// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// What of each policy is told, made once. Texts lie apart in one piece, so that a policy is handed around without counting
/// references.
struct ToldPolicies: Sendable {
    private let texts: [UInt8]
    private let policies: [ToldPolicy]

    init(_ policies: [RatePolicy]) {
        var texts: [UInt8] = []
        self.policies = policies.map { ToldPolicy($0, texts: &texts) }
        self.texts = texts
    }

    subscript(policy: Int) -> ToldPolicy { policies[policy] }

    subscript(quota: Quota) -> ToldPolicy { policies[Int(quota.policyIndex)] }

    /// - Returns: how many bytes were written.
    @inline(__always)
    func write(_ bytes: UnsafeMutableRawBufferPointer, _ write: (inout FieldText) -> Void) -> Int {
        guard let start = bytes.baseAddress else { return 0 }
        return texts.withUnsafeBytes { texts in
            var text = FieldText(start, room: bytes.count, texts: texts)
            write(&text)
            return text.count
        }
    }
}

struct ToldPolicy: Sendable {
    /// Where its name lies, in quotation marks.
    let name: Range<Int>
    /// Where `;w=60` lies, or what is counted instead.
    let windowParameter: Range<Int>
    /// Nanoseconds; 0 where nothing passes with time.
    let window: Int64
    /// What it can hold at once, as a share of its limit.
    let capacityShare: Double
    let isShadow: Bool

    fileprivate init(_ policy: RatePolicy, texts: inout [UInt8]) {
        func place(_ text: String) -> Range<Int> {
            let start = texts.count
            texts += text.utf8
            return start..<texts.count
        }
        // Names have no character that a string of structured fields would escape.
        name = place("\"\(policy.name)\"")
        window = policy.rule.window.map(\.wholeNanoseconds) ?? 0
        windowParameter = place(
            window > 0
                ? ";w=\(max(1, (window + 999_999_999) / 1_000_000_000))" : ";qu=\"concurrent-requests\"")
        capacityShare = Double(policy.rule.costMax) / Double(policy.limit)
        isShadow = policy.isShadow
    }
}
