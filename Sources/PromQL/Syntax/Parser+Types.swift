// SPDX-License-Identifier: Apache-2.0

/// What may stand where.
extension Parser {
    func expect(_ type: ValueType, _ expression: Expression, _ context: String) throws(QuerySyntaxError) {
        guard expression.type == type else {
            throw QuerySyntaxError(
                "expected type \(type.words) \(context), got \(expression.type.words)", at: expression.range, in: query)
        }
    }

    func check(_ arguments: [Expression], of function: Function, at place: Range<Int>) throws(QuerySyntaxError) {
        let most = function.parameters.count + (function.isVariadic ? function.repeatsMax : 0)
        guard arguments.count >= function.required, arguments.count <= most else {
            let bound =
                function.isVariadic && arguments.count < function.required
                ? "at least \(function.required)"
                : function.required == most ? "\(most)" : "\(function.required) to \(most)"
            throw QuerySyntaxError(
                "expected \(bound) argument(s) in call to \"\(function.name)\", got \(arguments.count)", at: place,
                in: query)
        }
        for (place, argument) in arguments.enumerated() {
            guard let type = place < function.parameters.count ? function.parameters[place] : function.parameters.last
            else { continue }
            try expect(type, argument, "in call to function \"\(function.name)\"")
            if let edges = argument.edges, type == .matrix, !function.takes(edges) {
                throw QuerySyntaxError(
                    "\(edges.rawValue) modifier can only be used with: \(Function.names(taking: edges).joined(separator: ", ")) "
                        + "- not with \(function.name)", at: argument.range, in: query)
            }
        }
        if case .special(.info) = function.body, let second = arguments.dropFirst().first {
            guard let selector = second.selector, selector.isPlain else {
                throw QuerySyntaxError(
                    "expected label selectors in braces as second argument of \"info\"", at: second.range, in: query)
            }
        }
    }

    func checked(_ binary: Binary, at place: Range<Int>) throws(QuerySyntaxError) -> Expression {
        let (left, right) = (binary.left.type, binary.right.type)
        for side in [binary.left, binary.right] where side.type != .scalar && side.type != .vector {
            throw QuerySyntaxError(
                "binary expression must contain only scalar and instant vector types", at: side.range, in: query)
        }
        let areScalars = left == .scalar && right == .scalar
        if areScalars, binary.operator.isComparison, !binary.isBool {
            throw QuerySyntaxError("comparisons between scalars must use BOOL modifier", at: place, in: query)
        }
        if left == .scalar || right == .scalar {
            if binary.operator.isSet {
                throw QuerySyntaxError(
                    "set operator \"\(binary.operator.rawValue)\" not allowed in binary scalar expression", at: place,
                    in: query)
            }
            if !binary.matching.names.isEmpty {
                throw QuerySyntaxError(
                    "vector matching only allowed between instant vectors", at: place, in: query)
            }
            if binary.matching.fillLeft != nil || binary.matching.fillRight != nil {
                throw QuerySyntaxError(
                    "filling in missing series only allowed between instant vectors", at: place, in: query)
            }
        }
        return Expression(
            form: .binary(binary), type: areScalars ? .scalar : .vector,
            range: binary.left.range.lowerBound..<binary.right.range.upperBound)
    }
}
