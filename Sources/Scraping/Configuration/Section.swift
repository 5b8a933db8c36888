// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import Telemetry

/// A mapping of YAML, which notes what was asked of it.
final class Section {
    private let members: [String: Any]
    let place: String
    private var asked: Set<String> = []

    init(_ members: [String: Any], _ place: String) { (self.members, self.place) = (members, place) }

    func named(_ place: String) -> Section {
        let section = Section(members, place)
        section.asked = asked
        return section
    }

    private func value(_ name: String) -> Any? {
        asked.insert(name)
        return members[name].flatMap { $0 is NSNull ? nil : $0 }
    }

    private func wrong(_ name: String, _ words: String) -> Failure {
        ScrapeConfiguration.wrong("\(place): \(name) \(words)")
    }

    func refuseOthers() throws {
        if let other = Set(members.keys).subtracting(asked).min() { throw wrong(other, "is not supported") }
    }

    private static func text(_ value: Any) -> String? {
        switch value {
        case let text as String: text
        case let flag as Bool: String(flag)
        case let number as Int: String(number)
        case let number as Double: SampleText.of(number)
        default: nil
        }
    }

    func text(_ name: String) throws -> String? {
        guard let value = value(name) else { return nil }
        guard let text = Self.text(value) else { throw wrong(name, "takes a text") }
        return text
    }

    func texts(_ name: String) throws -> [String] {
        guard let value = value(name) else { return [] }
        guard let list = value as? [Any] else { throw wrong(name, "takes a list") }
        return try list.map { item in
            guard let text = Self.text(item) else { throw wrong(name, "takes texts") }
            return text
        }
    }

    func flag(_ name: String) throws -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value as? Bool else { throw wrong(name, "takes true or false") }
        return flag
    }

    func number(_ name: String) throws -> Int? {
        guard let value = value(name) else { return nil }
        guard let number = value as? Int, number >= 0 else { throw wrong(name, "takes a number of 0 or more") }
        return number
    }

    private static let sizes = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("KB", 10), ("MB", 20), ("GB", 30), ("B", 0)]

    func bytes(_ name: String) throws -> Int? {
        guard let text = try text(name) else { return nil }
        for (unit, power) in Self.sizes where text.hasSuffix(unit) {
            if let number = Int(text.dropLast(unit.count).trimmingCharacters(in: .whitespaces)), number >= 0 {
                return number << power
            }
        }
        guard let number = Int(text), number >= 0 else { throw wrong(name, "takes a size such as 10MB") }
        return number
    }

    private static let units: [(String, Int)] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]

    /// A year.
    private static let millisecondsMax = 31_536_000_000

    func duration(_ name: String) throws -> Duration? {
        guard let text = try text(name) else { return nil }
        for (unit, milliseconds) in Self.units where text.hasSuffix(unit) {
            guard let number = Int(text.dropLast(unit.count)), number > 0, number <= Self.millisecondsMax / milliseconds
            else { continue }
            return .milliseconds(number * milliseconds)
        }
        throw wrong(name, "takes a duration such as 15s")
    }

    func section(_ name: String) throws -> Section? {
        guard let value = value(name) else { return nil }
        guard let members = value as? [String: Any] else { throw wrong(name, "takes a mapping") }
        return Section(members, "\(place), \(name)")
    }

    func sections(_ name: String) throws -> [Section] {
        guard let value = value(name) else { return [] }
        guard let list = value as? [[String: Any]] else { throw wrong(name, "takes a list of mappings") }
        return list.map { Section($0, "\(place), \(name)") }
    }

    /// All members, each as often as it has values.
    func lists() throws -> [(name: String, value: String)] {
        try members.keys.sorted().flatMap { name in try texts(name).map { (name, $0) } }
    }

    /// All members, with the first of their values.
    func pairs() throws -> [(name: String, value: String)] {
        try members.keys.sorted().map { name in
            if let list = members[name] as? [Any], let first = list.first, let text = Self.text(first) {
                return (name, text)
            }
            return (name, try text(name) ?? "")
        }
    }
}
