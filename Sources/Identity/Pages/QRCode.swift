// SPDX-License-Identifier: Apache-2.0

internal import Web

/// A text as a square that cameras read (ISO/IEC 18004, QR code model 2): bytes, error correction level L, versions 1 to 20.
struct QRCode: Sendable {
    /// Modules on a side.
    let size: Int
    private var isDark: [Bool]
    /// Modules that carry no data, and so are not masked.
    private var isFixed: [Bool]

    /// By version: codewords for correction in a block, and blocks, at level L (table 9).
    private static let correction = [
        (7, 1), (10, 1), (15, 1), (20, 1), (26, 1), (18, 2), (20, 2), (24, 2), (30, 2), (18, 4), (20, 4), (24, 4),
        (26, 4),
        (30, 4), (22, 6), (24, 6), (28, 6), (30, 6), (28, 7), (28, 8),
    ]

    /// - Returns: `nil` for more than 858 bytes of UTF-8.
    init?(_ text: String, mask: Int? = nil) {
        let bytes = Array(text.utf8)
        let fitting = (1...Self.correction.count).first { version in
            Self.dataCount(version) * 8 >= 4 + Self.lengthBits(version) + bytes.count * 8
        }
        guard let version = fitting else { return nil }
        size = 17 + 4 * version
        isDark = Array(repeating: false, count: size * size)
        isFixed = isDark
        drawPatterns(version)
        place(Self.interleaved(Self.data(bytes, version), version))
        choose(mask)
    }

    subscript(x: Int, y: Int) -> Bool { isDark[y * size + x] }

    // MARK: Codewords

    /// All codewords that a version has room for (table 1).
    private static func wordCount(_ version: Int) -> Int {
        var bits = (16 * version + 128) * version + 64
        if version >= 2 {
            let marks = version / 7 + 2
            bits -= (25 * marks - 10) * marks - 55
            if version >= 7 { bits -= 36 }
        }
        return bits / 8
    }

    private static func dataCount(_ version: Int) -> Int {
        let (words, blocks) = correction[version - 1]
        return wordCount(version) - words * blocks
    }

    private static func lengthBits(_ version: Int) -> Int { version < 10 ? 8 : 16 }

    private static func data(_ bytes: [UInt8], _ version: Int) -> [UInt8] {
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) {
            for place in stride(from: count - 1, through: 0, by: -1) { bits.append(value >> place & 1 == 1) }
        }
        append(0b0100, 4)
        append(bytes.count, lengthBits(version))
        for byte in bytes { append(Int(byte), 8) }
        let room = dataCount(version) * 8
        append(0, min(4, room - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var pad = 0xEC
        while bits.count < room {
            append(pad, 8)
            pad ^= 0xEC ^ 0x11
        }
        return stride(from: 0, to: room, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        }
    }

    /// The blocks with their correction, a word of each in turn; the later blocks may be a word longer.
    private static func interleaved(_ data: [UInt8], _ version: Int) -> [UInt8] {
        let (words, count) = correction[version - 1]
        let (short, longer) = (data.count / count, data.count % count)
        var blocks: [[UInt8]] = []
        var start = 0
        for number in 0..<count {
            let end = start + short + (number >= count - longer ? 1 : 0)
            blocks.append(Array(data[start..<end]))
            start = end
        }
        let divisor = ReedSolomon.divisor(words)
        let checks = blocks.map { ReedSolomon.remainder($0, divisor) }
        return (0...short).flatMap { place in blocks.filter { place < $0.count }.map { $0[place] } }
            + (0..<words).flatMap { place in checks.map { $0[place] } }
    }

    // MARK: Patterns

    private mutating func fix(_ x: Int, _ y: Int, _ dark: Bool) {
        guard (0..<size).contains(x), (0..<size).contains(y) else { return }
        isDark[y * size + x] = dark
        isFixed[y * size + x] = true
    }

    private mutating func drawPatterns(_ version: Int) {
        for place in 0..<size {
            fix(6, place, place % 2 == 0)
            fix(place, 6, place % 2 == 0)
        }
        for (x, y) in [(3, 3), (size - 4, 3), (3, size - 4)] { drawSquare(x, y, reach: 4, light: [2, 4]) }
        let marks = Self.marks(version, size)
        for x in marks {
            for y in marks where !(x == 6 && (y == 6 || y == size - 7)) && !(x == size - 7 && y == 6) {
                drawSquare(x, y, reach: 2, light: [1])
            }
        }
        drawFormat(0)
        guard version >= 7 else { return }
        var rest = version
        for _ in 0..<12 { rest = rest << 1 ^ (rest >> 11) * 0x1F25 }
        let bits = version << 12 | rest
        for place in 0..<18 {
            let (a, b) = (size - 11 + place % 3, place / 3)
            fix(a, b, bits >> place & 1 == 1)
            fix(b, a, bits >> place & 1 == 1)
        }
    }

    /// Squares in squares, by which a camera finds its way.
    private mutating func drawSquare(_ x: Int, _ y: Int, reach: Int, light: Set<Int>) {
        for down in -reach...reach {
            for right in -reach...reach { fix(x + right, y + down, !light.contains(max(abs(down), abs(right)))) }
        }
    }

    /// Where the smaller squares are (annex E).
    private static func marks(_ version: Int, _ size: Int) -> [Int] {
        guard version > 1 else { return [] }
        let count = version / 7 + 2
        let step = (version * 4 + count * 2 + 1) / (count * 2 - 2) * 2
        return [6] + (0..<count - 1).map { size - 7 - $0 * step }.reversed()
    }

    /// The level and the mask, twice (7.9).
    private mutating func drawFormat(_ mask: Int) {
        let data = 0b01 << 3 | mask
        var rest = data
        for _ in 0..<10 { rest = rest << 1 ^ (rest >> 9) * 0x537 }
        let bits = (data << 10 | rest) ^ 0x5412
        func bit(_ place: Int) -> Bool { bits >> place & 1 == 1 }
        for place in 0..<6 { fix(8, place, bit(place)) }
        fix(8, 7, bit(6))
        fix(8, 8, bit(7))
        fix(7, 8, bit(8))
        for place in 9..<15 { fix(14 - place, 8, bit(place)) }
        for place in 0..<8 { fix(size - 1 - place, 8, bit(place)) }
        for place in 8..<15 { fix(8, size - 15 + place, bit(place)) }
        fix(8, size - 8, true)
    }

    // MARK: Data

    /// From the right in columns of two, up and down (7.7.3).
    private mutating func place(_ words: [UInt8]) {
        var next = 0
        for right in stride(from: size - 1, through: 1, by: -2).map({ $0 <= 6 ? $0 - 1 : $0 }) {
            for step in 0..<size {
                let y = (right + 1) & 2 == 0 ? size - 1 - step : step
                for x in [right, right - 1] where !isFixed[y * size + x] && next < words.count * 8 {
                    isDark[y * size + x] = words[next / 8] >> (7 - next % 8) & 1 == 1
                    next += 1
                }
            }
        }
    }

    /// The mask by which a camera is misled least (7.8).
    private mutating func choose(_ given: Int?) {
        let plain = self
        let drawn = (0..<8).filter { given == nil || $0 == given }.map { mask in
            var code = plain
            code.apply(mask)
            code.drawFormat(mask)
            return code
        }
        self = drawn.min { $0.penalty < $1.penalty } ?? plain
    }

    private mutating func apply(_ mask: Int) {
        for y in 0..<size {
            for x in 0..<size where !isFixed[y * size + x] && Self.flips(mask, x, y) { isDark[y * size + x].toggle() }
        }
    }

    private static func flips(_ mask: Int, _ x: Int, _ y: Int) -> Bool {
        switch mask {
        case 0: (x + y) % 2 == 0
        case 1: y % 2 == 0
        case 2: x % 3 == 0
        case 3: (x + y) % 3 == 0
        case 4: (x / 3 + y / 2) % 2 == 0
        case 5: x * y % 2 + x * y % 3 == 0
        case 6: (x * y % 2 + x * y % 3) % 2 == 0
        default: ((x + y) % 2 + x * y % 3) % 2 == 0
        }
    }

    /// Long runs, blocks, what looks like a finder, and too much of one shade (table 11).
    private var penalty: Int {
        let rows = (0..<size).map { y in (0..<size).map { self[$0, y] } }
        let columns = (0..<size).map { x in (0..<size).map { self[x, $0] } }
        let lines = (rows + columns).reduce(0) { $0 + Self.penalty(line: $1) }
        var blocks = 0
        for y in 0..<size - 1 {
            for x in 0..<size - 1
            where self[x, y] == self[x + 1, y] && self[x, y] == self[x, y + 1] && self[x, y] == self[x + 1, y + 1] {
                blocks += 3
            }
        }
        let share = isDark.count { $0 } * 100 / isDark.count
        return lines + blocks + abs(share - 50) / 5 * 10
    }

    private static let finders: [[Bool]] = {
        let finder = [true, false, true, true, true, false, true]
        let light = Array(repeating: false, count: 4)
        return [finder + light, light + finder]
    }()

    private static func penalty(line: [Bool]) -> Int {
        var (sum, run) = (0, 0)
        for (place, dark) in line.enumerated() {
            run = place > 0 && line[place - 1] == dark ? run + 1 : 1
            if run == 5 { sum += 3 } else if run > 5 { sum += 1 }
            let window = line[place...].prefix(11)
            if window.count == 11, finders.contains(Array(window)) { sum += 40 }
        }
        return sum
    }
}

/// Correction of errors over the field of 256 elements (annex A).
private enum ReedSolomon {
    static func divisor(_ degree: Int) -> [UInt8] {
        var result = Array(repeating: UInt8(0), count: degree - 1) + [1]
        var root: UInt8 = 1
        for _ in 0..<degree {
            for place in 0..<degree {
                result[place] = product(result[place], root)
                if place + 1 < degree { result[place] ^= result[place + 1] }
            }
            root = product(root, 2)
        }
        return result
    }

    static func remainder(_ data: [UInt8], _ divisor: [UInt8]) -> [UInt8] {
        var rest = Array(repeating: UInt8(0), count: divisor.count)
        for word in data {
            let factor = word ^ rest.removeFirst()
            rest.append(0)
            for place in divisor.indices { rest[place] ^= product(divisor[place], factor) }
        }
        return rest
    }

    private static func product(_ a: UInt8, _ b: UInt8) -> UInt8 {
        var product = 0
        for place in stride(from: 7, through: 0, by: -1) {
            product = product << 1 ^ (product >> 7) * 0x11D
            product ^= (Int(b) >> place & 1) * Int(a)
        }
        return UInt8(truncatingIfNeeded: product)
    }
}

extension QRCode {
    /// Dark on light, whatever the page's colours, with the margin that a camera needs (6.3.8).
    func html(_ label: String) -> HTML {
        var path = ""
        for y in 0..<size {
            for x in 0..<size where self[x, y] { path += "M\(x + 4) \(y + 4)h1v1h-1z" }
        }
        let side = size + 8
        return """
            <svg class="qr" viewBox="0 0 \(side) \(side)" role="img" aria-label="\(label)" shape-rendering="crispEdges">
            <rect width="\(side)" height="\(side)" fill="#fff"/><path d="\(path)" fill="#000"/></svg>
            """
    }
}
