// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// What an expression yields.
package enum ValueType: String, Sendable {
    case scalar, string, matrix, vector

    /// As messages name it.
    var words: String {
        switch self {
        case .scalar, .string: rawValue
        case .matrix: "range vector"
        case .vector: "instant vector"
        }
    }
}

/// A query, parsed and checked.
package struct Expression: Sendable {
    package indirect enum Form: Sendable {
        case number(Double)
        case string(String)
        case selector(Selector)
        /// The samples of a selector's series in a time before each step.
        case range(Selector, Length)
        case subquery(Subquery)
        case call(Function, [Expression])
        case aggregation(Aggregation)
        case binary(Binary)
        /// `-x`; `+x` is `x`.
        case negation(Expression)
        case parentheses(Expression)
    }

    package let form: Form
    package let type: ValueType
    /// Where it stands, in bytes of the query.
    package let range: Range<Int>
}

/// When a selector or subquery looks, seen from a step.
package struct TimeShift: Sendable, Equatable {
    package enum Anchor: Sendable, Equatable {
        /// Milliseconds since 1970.
        case time(Int64)
        case start, end
    }

    /// The `@` modifier: this time instead of the step's.
    package var anchor: Anchor?
    /// How far to go back.
    package var offset: Length?
}

package struct Selector: Sendable {
    /// What is taken for a series' value at the bounds of a range, which seldom hold a sample.
    package enum Edges: String, Sendable {
        /// Nothing: the samples within the range are all.
        case asFound
        /// The latest sample's.
        case anchored
        /// That of the straight line between the samples beside it.
        case smoothed
    }

    package var matchers: [LabelMatcher]
    package var shift = TimeShift()
    package var edges = Edges.asFound

    /// Without anything that follows it.
    var isPlain: Bool { shift == TimeShift() && edges == .asFound }
}

package struct Subquery: Sendable {
    package let inner: Expression
    package let range: Length
    /// The default where there is none.
    package let step: Length?
    package var shift = TimeShift()
}

/// Which labels a grouping keeps.
package struct Grouping: Sendable, Equatable {
    package var names: [String]
    /// All others, and not the metric's name.
    package var isWithout: Bool
}

package struct Aggregation: Sendable {
    package enum Operator: String, Sendable, CaseIterable {
        case sum, avg, count, min, max, group, stddev, stdvar, topk, bottomk, quantile
        case countValues = "count_values"
        case limitk
        case limitRatio = "limit_ratio"

        /// What the first argument must be, where there are two.
        var parameter: ValueType? {
            switch self {
            case .topk, .bottomk, .quantile, .limitk, .limitRatio: .scalar
            case .countValues: .string
            case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar: nil
            }
        }
    }

    package let `operator`: Operator
    package let parameter: Expression?
    package let inner: Expression
    package let grouping: Grouping
}

package struct Binary: Sendable {
    package enum Operator: String, Sendable, CaseIterable {
        case or, and, unless
        case equal = "=="
        case notEqual = "!="
        case lessOrEqual = "<="
        case less = "<"
        case greaterOrEqual = ">="
        case greater = ">"
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case remainder = "%"
        case atan2
        case power = "^"

        /// The higher, the closer it binds.
        var precedence: Int {
            switch self {
            case .or: 1
            case .and, .unless: 2
            case .equal, .notEqual, .lessOrEqual, .less, .greaterOrEqual, .greater: 3
            case .add, .subtract: 4
            case .multiply, .divide, .remainder, .atan2: 5
            case .power: 6
            }
        }

        var isComparison: Bool { precedence == 3 }
        /// As durations know it.
        var isArithmetic: Bool { precedence > 3 && self != .atan2 }
        package var isSet: Bool { precedence < 3 }
    }

    /// How series of two vectors find each other.
    package struct Matching: Sendable, Equatable {
        package enum Cardinality: Sendable, Equatable {
            case oneToOne
            /// Many on the left (`group_left`).
            case manyToOne
            case oneToMany
            case manyToMany
        }

        package var cardinality = Cardinality.oneToOne
        package var names: [String] = []
        /// By the names alone, instead of by all but them.
        package var isOn = false
        /// Labels that the many take from the one.
        package var include: [String] = []
        /// What stands for a series that the other side has and this one has not.
        package var fillLeft: Double?
        package var fillRight: Double?
    }

    package let `operator`: Operator
    package let left: Expression
    package let right: Expression
    /// Comparisons yield 0 or 1 instead of filtering.
    package let isBool: Bool
    package let matching: Matching
}

extension Expression {
    /// The selector that it is, and nothing around it.
    var selector: Selector? { if case .selector(let selector) = form { selector } else { nil } }

    /// Of a selector or its range.
    var edges: Selector.Edges? {
        switch bare.form {
        case .selector(let selector), .range(let selector, _): selector.edges
        default: nil
        }
    }

    /// All selectors in it.
    package var selectors: [Selector] {
        switch form {
        case .number, .string: []
        case .selector(let selector), .range(let selector, _): [selector]
        case .subquery(let subquery): subquery.inner.selectors
        case .call(_, let arguments): arguments.flatMap(\.selectors)
        case .aggregation(let aggregation): aggregation.inner.selectors + (aggregation.parameter?.selectors ?? [])
        case .binary(let binary): binary.left.selectors + binary.right.selectors
        case .negation(let inner), .parentheses(let inner): inner.selectors
        }
    }
}
