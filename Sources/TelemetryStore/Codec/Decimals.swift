// SPDX-License-Identifier: Apache-2.0

/// Values as whole numbers that are to be divided by a power of ten, and the few that are not such numbers.
struct Decimals {
    private let exponent: Int
    private let integers: [Int64]
    /// Infinities, ends of a series and the like: where they stand, and their bits.
    private let exceptions: [(place: Int, bits: UInt64)]

    /// The power of ten beyond which digits are rather noise.
    private static let exponentMax = 9
    private static let powers: [Double] = (0...exponentMax).map { power in
        (0..<power).reduce(1.0) { value, _ in value * 10 }
    }

    /// `nil` where too many values are no decimal numbers.
    init?(_ values: [Double]) {
        var (exponent, misfits) = (0, 0)
        let misfitsMax = values.count / 8 + 1
        for value in values {
            var next = exponent
            while next <= Self.exponentMax, Self.integer(value, next) == nil { next += 1 }
            if next <= Self.exponentMax { exponent = next } else { misfits += 1 }
            if misfits > misfitsMax { return nil }
        }
        var (integers, exceptions) = ([Int64](), [(place: Int, bits: UInt64)]())
        integers.reserveCapacity(values.count)
        for (place, value) in values.enumerated() {
            if let integer = Self.integer(value, exponent) {
                integers.append(integer)
            } else {
                // Costs nothing as a difference.
                integers.append(integers.last ?? 0)
                exceptions.append((place, value.bitPattern))
            }
        }
        guard exceptions.count <= misfitsMax else { return nil }
        self.exponent = exponent
        self.integers = integers
        self.exceptions = exceptions
    }

    /// The value times the power, where that is whole and leads back to the very same bits.
    @inline(__always)
    private static func integer(_ value: Double, _ exponent: Int) -> Int64? {
        let power = powers[exponent]
        let scaled = (value * power).rounded()
        guard scaled.magnitude < 9_007_199_254_740_992 else { return nil }
        let integer = Int64(scaled)
        return (Double(integer) / power).bitPattern == value.bitPattern ? integer : nil
    }

    /// How often the difference to the value before is taken: counters grow evenly, gauges do not.
    private var bestOrder: Int {
        var (costs, before, slope): ([Int], Int64, Int64) = ([0, 0, 0], 0, 0)
        for integer in integers {
            let difference = integer &- before
            costs[0] += Self.cost(integer)
            costs[1] += Self.cost(difference)
            costs[2] += Self.cost(difference &- slope)
            (before, slope) = (integer, difference)
        }
        return (0..<3).min { costs[$0] < costs[$1] } ?? 0
    }

    private static func cost(_ value: Int64) -> Int { (70 - Zigzag.folded(value).leadingZeroBitCount) / 7 }

    func write(to writer: inout ByteWriter) {
        let order = bestOrder
        writer.byte(UInt8(exponent) << 2 | UInt8(order))
        writer.count(exceptions.count)
        for exception in exceptions {
            writer.count(exception.place)
            writer.fixed(exception.bits)
        }
        var (before, slope): (Int64, Int64) = (0, 0)
        for integer in integers {
            let difference = integer &- before
            writer.signed(order == 0 ? integer : order == 1 ? difference : difference &- slope)
            (before, slope) = (integer, difference)
        }
    }

    static func read(_ count: Int, _ reader: inout ByteReader, _ values: inout [Double]) {
        let head = reader.byte()
        let (power, order) = (powers[min(Int(head >> 2), exponentMax)], head & 3)
        let first = values.count
        let exceptions = (0..<reader.count()).map { _ in (place: reader.count(max: count), bits: reader.fixed64()) }
        values.reserveCapacity(first + count)
        var (before, slope): (Int64, Int64) = (0, 0)
        for _ in 0..<count {
            let packed = reader.signed()
            if order == 2 { slope &+= packed }
            before = order == 0 ? packed : before &+ (order == 1 ? packed : slope)
            values.append(Double(before) / power)
        }
        for exception in exceptions where first + exception.place < values.count {
            values[first + exception.place] = Double(bitPattern: exception.bits)
        }
    }
}
