// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// The times that a whole query asks for, in milliseconds; those of the bounds since 1970.
struct QueryTimes {
    let bounds: ClosedRange<Int64>
    /// 0 where it asks for one time.
    let step: Int64

    var range: Int64 { bounds.upperBound - bounds.lowerBound }
}

/// How long a range is, or how far an offset goes: a time, or what is computed of times and of the query's own.
package indirect enum Length: Sendable, Equatable {
    /// Milliseconds, as `5m` writes them.
    case time(Int64)
    /// Seconds, or a factor.
    case number(Double)
    /// `step()` and `range()`: that of the query.
    case step, range
    case negative(Length)
    case least(Length, Length)
    case greatest(Length, Length)
    case arithmetic(Binary.Operator, Length, Length)
    case parentheses(Length)

    /// A number by itself counts seconds.
    var withUnit: Length {
        switch self {
        case .number(let seconds) where seconds.magnitude < QueryEngine.secondsMax:
            .time(Int64((seconds * 1_000).rounded()))
        case .negative(let length): .negative(length.withUnit)
        default: self
        }
    }

    /// Milliseconds, where they do not depend on what is asked for.
    package var fixed: Int64? {
        dependsOnQuery ? nil : try? milliseconds(in: QueryTimes(bounds: 0...0, step: 0))
    }

    var dependsOnQuery: Bool {
        switch self {
        case .time, .number: false
        case .step, .range: true
        case .negative(let length), .parentheses(let length): length.dependsOnQuery
        case .least(let left, let right), .greatest(let left, let right), .arithmetic(_, let left, let right):
            left.dependsOnQuery || right.dependsOnQuery
        }
    }

    func milliseconds(in query: QueryTimes) throws(EvaluationError) -> Int64 {
        switch self {
        case .time(let milliseconds): return milliseconds
        case .negative(.time(let milliseconds)): return -milliseconds
        default:
            let seconds = try seconds(in: query)
            guard seconds.magnitude < QueryEngine.secondsMax else { throw .invalid("duration out of range: \(text)") }
            return Int64((seconds * 1_000).rounded())
        }
    }

    private func seconds(in query: QueryTimes) throws(EvaluationError) -> Double {
        switch self {
        case .time(let milliseconds): return Double(milliseconds) / 1_000
        case .number(let value): return value
        case .step: return Double(query.step) / 1_000
        case .range: return Double(query.range) / 1_000
        case .negative(let length): return -(try length.seconds(in: query))
        case .parentheses(let length): return try length.seconds(in: query)
        case .least(let left, let right): return min(try left.seconds(in: query), try right.seconds(in: query))
        case .greatest(let left, let right): return max(try left.seconds(in: query), try right.seconds(in: query))
        case .arithmetic(let `operator`, let left, let right):
            let (left, right) = (try left.seconds(in: query), try right.seconds(in: query))
            if right == 0, `operator` == .divide { throw .invalid("division by zero in duration: \(text)") }
            if right == 0, `operator` == .remainder { throw .invalid("modulo by zero in duration: \(text)") }
            return `operator`.number(left, right)
        }
    }

    /// As PromQL writes it.
    package var text: String {
        switch self {
        case .time(let milliseconds): Lexer.text(milliseconds: milliseconds)
        case .number(let value): SampleText.of(value)
        case .step: "step()"
        case .range: "range()"
        case .negative(let length): "-\(length.text)"
        case .least(let left, let right): "min_of(\(left.text), \(right.text))"
        case .greatest(let left, let right): "max_of(\(left.text), \(right.text))"
        case .arithmetic(let `operator`, let left, let right): "\(left.text) \(`operator`.rawValue) \(right.text)"
        case .parentheses(let length): "(\(length.text))"
        }
    }
}
