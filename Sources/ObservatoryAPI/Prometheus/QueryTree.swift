// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import PromQL
internal import Telemetry

/// A parsed query as `/api/v1/parse_query` of Prometheus 3 shows it.
enum QueryTree {
    static func write(_ expression: Expression, _ writer: inout JSONWriter) {
        writer.object { writer in
            switch expression.form {
            case .number(let value):
                writer.member("type", "numberLiteral")
                writer.member("val", SampleText.of(value))
            case .string(let text):
                writer.member("type", "stringLiteral")
                writer.member("val", text)
            case .selector(let selector):
                writer.member("type", "vectorSelector")
                write(selector, &writer)
            case .range(let selector, let length):
                writer.member("type", "matrixSelector")
                writer.member("range", Int(length.fixed ?? 0))
                write(selector, &writer)
            case .subquery(let subquery):
                writer.member("type", "subquery")
                writer.member("expr") { write(subquery.inner, &$0) }
                writer.member("range", Int(subquery.range.fixed ?? 0))
                writer.member("step", Int(subquery.step?.fixed ?? 0))
                write(subquery.shift, &writer)
            case .call(let function, let arguments):
                writer.member("type", "call")
                writer.member("func") { write(function, &$0) }
                writer.member("args", arguments) { write($0, &$1) }
            case .aggregation(let aggregation): write(aggregation, &writer)
            case .binary(let binary): write(binary, &writer)
            case .negation(let inner):
                writer.member("type", "unaryExpr")
                writer.member("op", "-")
                writer.member("expr") { write(inner, &$0) }
            case .parentheses(let inner):
                writer.member("type", "parenExpr")
                writer.member("expr") { write(inner, &$0) }
            }
        }
    }

    private static func write(_ selector: Selector, _ writer: inout JSONWriter) {
        let name = selector.matchers.first { $0.name == LabelSet.name && $0.operation == .equal }
        writer.member("name", name?.value ?? "")
        // That of the name comes last, as if it had stood before the braces.
        let others = selector.matchers.filter { $0.name != LabelSet.name }
        let names = selector.matchers.filter { $0.name == LabelSet.name }
        writer.member("matchers", others + names) { matcher, writer in
            writer.object { writer in
                writer.member("name", matcher.name)
                writer.member("value", matcher.value)
                writer.member("type", matcher.operation.rawValue)
            }
        }
        write(selector.shift, &writer)
        switch selector.edges {
        case .asFound: break
        case .anchored: writer.member("anchored") { $0.bool(true) }
        case .smoothed: writer.member("smoothed") { $0.bool(true) }
        }
    }

    private static func write(_ shift: TimeShift, _ writer: inout JSONWriter) {
        writer.member("offset", Int(shift.offset?.fixed ?? 0))
        var (time, place) = (Int64?.none, String?.none)
        switch shift.anchor {
        case .time(let milliseconds)?: time = milliseconds
        case .start?: place = "start"
        case .end?: place = "end"
        case nil: break
        }
        writer.member("timestamp") { writer in
            if let time { writer.integer(time) } else { writer.raw("null") }
        }
        writer.member("startOrEnd") { writer in
            if let place { writer.string(place) } else { writer.raw("null") }
        }
    }

    private static func write(_ function: Function, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", function.name)
            writer.member("argTypes", function.parameters) { $1.string($0.rawValue) }
            writer.member("variadic", function.variadic)
            writer.member("returnType", function.result.rawValue)
        }
    }

    private static func write(_ aggregation: Aggregation, _ writer: inout JSONWriter) {
        writer.member("type", "aggregation")
        writer.member("op", aggregation.operator.rawValue)
        writer.member("expr") { write(aggregation.inner, &$0) }
        writer.member("param") { writer in
            if let parameter = aggregation.parameter { write(parameter, &writer) } else { writer.raw("null") }
        }
        writer.member("grouping", aggregation.grouping.names) { $1.string($0) }
        writer.member("without") { $0.bool(aggregation.grouping.isWithout) }
    }

    private static func write(_ binary: Binary, _ writer: inout JSONWriter) {
        writer.member("type", "binaryExpr")
        writer.member("op", binary.operator.rawValue)
        writer.member("lhs") { write(binary.left, &$0) }
        writer.member("rhs") { write(binary.right, &$0) }
        writer.member("matching") { writer in
            // Series find each other only where there are series on both sides.
            guard binary.left.type == .vector, binary.right.type == .vector else { return writer.raw("null") }
            let matching = binary.matching
            writer.object { writer in
                writer.member("card", words(binary.operator.isSet ? .manyToMany : matching.cardinality))
                writer.member("labels", matching.names) { $1.string($0) }
                writer.member("on") { $0.bool(matching.isOn) }
                writer.member("include", matching.include) { $1.string($0) }
                guard matching.fillLeft != nil || matching.fillRight != nil else { return }
                writer.member("fillValues") { writer in
                    writer.object { writer in
                        writer.member("lhs") { write(matching.fillLeft, &$0) }
                        writer.member("rhs") { write(matching.fillRight, &$0) }
                    }
                }
            }
        }
        writer.member("bool") { $0.bool(binary.isBool) }
    }

    private static func write(_ fill: Double?, _ writer: inout JSONWriter) {
        if let fill { writer.string(SampleText.of(fill)) } else { writer.raw("null") }
    }

    private static func words(_ cardinality: Binary.Matching.Cardinality) -> String {
        switch cardinality {
        case .oneToOne: "one-to-one"
        case .manyToOne: "many-to-one"
        case .oneToMany: "one-to-many"
        case .manyToMany: "many-to-many"
        }
    }
}
