// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import Patterns
internal import Telemetry

/// One step that changes, keeps or drops labels (Prometheus, `relabel_config`).
package struct RelabelStep: Sendable {
    package enum Action: String, Sendable, CaseIterable {
        case replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase
    }

    package var action = Action.replace
    package var sourceLabels: [String] = []
    package var separator = ";"
    package var targetLabel = ""
    /// The whole value, or the whole name of a label.
    package var regex = "(.*)"
    package var modulus: UInt64 = 0
    package var replacement = "$1"

    package init() {}
}

/// Steps with their expressions compiled.
struct Relabelling: Sendable {
    private let steps: [(step: RelabelStep, pattern: Pattern)]

    /// - Throws: `Pattern.PatternError` for a regular expression that is none.
    init(_ steps: [RelabelStep]) throws {
        self.steps = try steps.map { ($0, try Pattern($0.regex, .whole)) }
    }

    var isEmpty: Bool { steps.isEmpty }

    /// - Returns: `nil` where a step drops what has the labels.
    func applied(to labels: LabelSet) throws -> LabelSet? {
        var labels = labels
        for (step, pattern) in steps {
            guard let next = try Self.apply(step, pattern, to: labels) else { return nil }
            labels = next
        }
        return labels
    }

    private static func apply(_ step: RelabelStep, _ pattern: Pattern, to labels: LabelSet) throws -> LabelSet? {
        let value = step.sourceLabels.map { labels[$0] }.joined(separator: step.separator)
        switch step.action {
        case .keep: return try pattern.matches(value) ? labels : nil
        case .drop: return try pattern.matches(value) ? nil : labels
        case .keepequal: return labels[step.targetLabel] == value ? labels : nil
        case .dropequal: return labels[step.targetLabel] == value ? nil : labels
        case .replace:
            guard let target = try pattern.expanded(step.targetLabel, for: value), !target.isEmpty,
                let replacement = try pattern.expanded(step.replacement, for: value)
            else { return labels }
            return labels.with(target, replacement)
        case .lowercase: return labels.with(step.targetLabel, value.lowercased())
        case .uppercase: return labels.with(step.targetLabel, value.uppercased())
        case .hashmod:
            // The lower half of an MD5 sum, as Prometheus takes it, so that shards agree.
            let sum = Insecure.MD5.hash(data: Data(value.utf8)).suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return labels.with(step.targetLabel, String(step.modulus == 0 ? 0 : sum % step.modulus))
        case .labelmap:
            return try labels.labels.reduce(labels) { mapped, label in
                guard let name = try pattern.expanded(step.replacement, for: label.name) else { return mapped }
                return mapped.with(name, label.value)
            }
        case .labeldrop: return try LabelSet(sorted: labels.labels.filter { try !pattern.matches($0.name) })
        case .labelkeep: return try LabelSet(sorted: labels.labels.filter { try pattern.matches($0.name) })
        }
    }
}
