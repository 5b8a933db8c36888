// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// What an ``Identifier`` names; gives the prefix under which people and logs recognise it.
package protocol EntityKind: Sendable {
    /// Lower-case letters before the underscore, for example `prod`.
    static var prefix: String { get }
}

/// A prefixed, time-ordered identifier such as `prod_01k9x3c5v8q2e6m4n7p0r1s2t3`.
///
/// The part after the underscore is a ULID in lower-case Crockford base 32: 48 bits of Unix milliseconds, then 79 random bits
/// or, in the millisecond of the last one, a random step from that. As text they sort by creation, for lists.
package struct Identifier<Kind: EntityKind>: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// A new identifier, created at `time`.
    package static func make(at time: Timestamp) -> Self {
        Self(unchecked: ULID.text(Kind.prefix + "_", milliseconds: time.milliseconds))
    }

    /// Reads an identifier that a client sent.
    ///
    /// - Returns: `nil` when the prefix is another kind's or the rest is not 26 base 32 digits.
    package init?(_ text: String) {
        let prefix = Kind.prefix
        guard text.utf8.count == prefix.utf8.count + 1 + ULID.digits, text.hasPrefix(prefix + "_"),
            text.utf8.suffix(ULID.digits).allSatisfy(ULID.isDigit)
        else { return nil }
        self.rawValue = text
    }

    /// Takes an identifier that this process or its database wrote, without checking it again.
    package init(unchecked rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

enum ULID {
    static let digits = 26
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    static func isDigit(_ byte: UInt8) -> Bool { alphabet.contains(byte) }

    /// The last of some milliseconds, by their lowest bits, because a clock that a test has stopped and the world's take turns.
    private static let state = Mutex((last: [UInt128](repeating: 0, count: 64), pool: [UInt64]()))

    static func text(_ prefix: String, milliseconds: Int64) -> String {
        var number = state.withLock { state in
            let slot = Int(milliseconds & 63)
            let time = UInt128(truncatingIfNeeded: milliseconds) << 80
            state.last[slot] = following(state.last[slot], in: time, &state.pool)
            return state.last[slot]
        }
        let start = prefix.utf8.count
        return String(unsafeUninitializedCapacity: start + digits) { buffer in
            for (index, byte) in prefix.utf8.enumerated() { buffer[index] = byte }
            for index in (start..<start + digits).reversed() {
                buffer[index] = alphabet[Int(number & 31)]
                number >>= 5
            }
            return start + digits
        }
    }

    /// Within the millisecond of the last one a random step of 56 bits further, as nobody may guess the next; otherwise a random
    /// one in the lower half, so that there is room above it for eight million steps.
    private static func following(_ last: UInt128, in time: UInt128, _ pool: inout [UInt64]) -> UInt128 {
        if last > 0 && last >> 80 == time >> 80 { return last + UInt128(max(1, draw(&pool) >> 8)) }
        return time | (UInt128(draw(&pool)) << 64 | UInt128(draw(&pool))) >> 49
    }

    /// From the system's generator, many at once, because a call took most of the time that an identifier takes.
    private static func draw(_ pool: inout [UInt64]) -> UInt64 {
        if pool.isEmpty {
            pool = [UInt64](repeating: 0, count: 32)
            let isFilled = pool.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) } == 0
            precondition(isFilled, "The system has no random numbers.")
        }
        return pool.removeLast()
    }
}

// Identifiers cross slices that may not import each other, so their kinds stand here.
package enum ProductKind: EntityKind { package static let prefix = "prod" }
package enum VariantKind: EntityKind { package static let prefix = "var" }
package enum CategoryKind: EntityKind { package static let prefix = "cat" }
package enum CustomerKind: EntityKind { package static let prefix = "cus" }
package enum AddressKind: EntityKind { package static let prefix = "adr" }
package enum CartKind: EntityKind { package static let prefix = "cart" }
package enum OrderKind: EntityKind { package static let prefix = "ord" }
package enum OrderLineKind: EntityKind { package static let prefix = "line" }
package enum PaymentKind: EntityKind { package static let prefix = "pay" }
package enum EventKind: EntityKind { package static let prefix = "evt" }

package typealias ProductID = Identifier<ProductKind>
package typealias VariantID = Identifier<VariantKind>
package typealias CategoryID = Identifier<CategoryKind>
package typealias CustomerID = Identifier<CustomerKind>
package typealias AddressID = Identifier<AddressKind>
package typealias CartID = Identifier<CartKind>
package typealias OrderID = Identifier<OrderKind>
package typealias OrderLineID = Identifier<OrderLineKind>
package typealias PaymentID = Identifier<PaymentKind>
package typealias EventID = Identifier<EventKind>
