// SPDX-License-Identifier: Apache-2.0

/// Bytes that are written by hand, because that is done for every answer; a test reads them with the codec of structured fields.
///
/// Whoever makes it sees to it that there is room (``Decision/fieldsSizeMax``); only debug builds look.
struct FieldText {
    private let bytes: UnsafeMutableRawPointer
    private let room: Int
    private let texts: UnsafeRawBufferPointer
    private(set) var count = 0 { didSet { assert(count <= room, "There is no room for the fields of a decision.") } }

    /// `texts` are those of ``ToldPolicies``.
    init(_ bytes: UnsafeMutableRawPointer, room: Int, texts: UnsafeRawBufferPointer) {
        (self.bytes, self.room, self.texts) = (bytes, room, texts)
    }

    mutating func add(policiesOf decision: Decision, _ told: ToldPolicies) {
        let start = count
        for place in 0..<decision.count {
            let (quota, told) = (decision.quotas[place], told[decision.quotas[place]])
            guard !told.isShadow else { continue }
            if count > start { add(", ") }
            add(told.name)
            add(";q=")
            add(decimal: Int64(quota.limit))
            add(told.windowParameter)
        }
    }

    mutating func add(limitsOf decision: Decision, _ told: ToldPolicies) {
        let start = count
        for place in 0..<decision.count {
            let (quota, told) = (decision.quotas[place], told[decision.quotas[place]])
            guard !told.isShadow else { continue }
            if count > start { add(", ") }
            add(told.name)
            add(";r=")
            add(decimal: Int64(quota.usable))
            guard told.window > 0 else { continue }
            add(";t=")
            add(decimal: quota.span(told))
        }
    }

    @inline(__always)
    mutating func add(_ text: StaticString) {
        let place = count
        count += text.utf8CodeUnitCount
        (bytes + place).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    }

    private mutating func add(_ range: Range<Int>) {
        let text = UnsafeRawBufferPointer(rebasing: texts[range])
        guard let start = text.baseAddress else { return }
        let place = count
        count += text.count
        (bytes + place).copyMemory(from: start, byteCount: text.count)
    }

    /// Adds a number in decimal digits; one below zero as 0, because nobody has less than nothing left.
    mutating func add(decimal number: Int64) {
        var rest = UInt64(clamping: number)
        var (digits, part) = (1, rest)
        while part >= 10_000 { (digits, part) = (digits + 4, part / 10_000) }
        while part >= 10 { (digits, part) = (digits + 1, part / 10) }
        count += digits
        var place = count
        while rest >= 10 {
            place -= 2
            let pair = Self.pairs.utf8Start + Int(truncatingIfNeeded: rest % 100) * 2
            (bytes + place).copyMemory(from: pair, byteCount: 2)
            rest /= 100
        }
        let digit = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest)
        if place > count - digits { bytes.storeBytes(of: digit, toByteOffset: place - 1, as: UInt8.self) }
    }

    private static var pairs: StaticString {
        """
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """
    }
}
