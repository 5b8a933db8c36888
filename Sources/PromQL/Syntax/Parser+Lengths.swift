// SPDX-License-Identifier: Apache-2.0

/// Durations: of ranges, of the steps of subqueries and of offsets. Version 3 computes with them.
extension Parser {
    /// What stands in brackets: above zero.
    mutating func length() throws(QuerySyntaxError) -> Length {
        let place = current.range
        guard semantics == .v3 else { return try positive(plainTime(), at: place) }
        return try positive(sum(above: 0).withUnit, at: place)
    }

    /// What follows `offset`: arithmetic only in parentheses, so that `offset 1m + 2` is a sum of samples.
    mutating func offset() throws(QuerySyntaxError) -> Length {
        let isNegative = isNext("-")
        if isNegative || isNext("+") { advance() }
        let place = current.range
        let length = semantics == .v3 ? try primaryLength().withUnit : try plainTime()
        return try checked(isNegative ? .negative(length) : length, at: place)
    }

    private mutating func plainTime() throws(QuerySyntaxError) -> Length {
        guard case .duration(let milliseconds) = current.kind else {
            throw error("unexpected \(words(current)), expected duration")
        }
        advance()
        return .time(milliseconds)
    }

    /// What does not depend on the query is refused now, the rest when it is asked.
    private func checked(_ length: Length, at place: Range<Int>) throws(QuerySyntaxError) -> Length {
        guard !length.dependsOnQuery, length.fixed == nil else { return length }
        throw QuerySyntaxError("duration out of range or divided by zero", at: place, in: query)
    }

    private func positive(_ length: Length, at place: Range<Int>) throws(QuerySyntaxError) -> Length {
        if let fixed = try checked(length, at: place).fixed, fixed <= 0 {
            throw QuerySyntaxError("duration must be greater than 0", at: place, in: query)
        }
        return length
    }

    private mutating func sum(above precedence: Int) throws(QuerySyntaxError) -> Length {
        try enter()
        defer { leave() }
        var left: Length
        if isNext("-") || isNext("+") {
            let isNegative = isNext("-")
            advance()
            let inner = try sum(above: Binary.Operator.multiply.precedence)
            left = isNegative ? .negative(inner) : inner
        } else {
            left = try primaryLength()
        }
        while case .symbol(let symbol) = current.kind, let binary = Binary.Operator(rawValue: symbol),
            binary.isArithmetic, binary.precedence > precedence
        {
            try countOperator()
            advance()
            // A power binds to the right.
            let right = try sum(above: binary == .power ? binary.precedence - 1 : binary.precedence)
            left = .arithmetic(binary, left, right)
        }
        return left
    }

    private mutating func primaryLength() throws(QuerySyntaxError) -> Length {
        switch current.kind {
        case .duration(let milliseconds):
            advance()
            return .time(milliseconds)
        case .number(let value):
            advance()
            return .number(value)
        case .symbol("("):
            advance()
            let inner = try sum(above: 0)
            try expect(")")
            return .parentheses(inner)
        case .identifier(let name):
            return try namedLength(name.lowercased())
        case .string, .symbol, .end:
            throw error("unexpected \(words(current)), expected duration")
        }
    }

    private mutating func namedLength(_ name: String) throws(QuerySyntaxError) -> Length {
        guard ["step", "range", "min", "max", "min_of", "max_of"].contains(name) else {
            throw error("unexpected \(words(current)), expected duration")
        }
        advance()
        try expect("(")
        let length: Length
        switch name {
        case "step": length = .step
        case "range": length = .range
        default:
            let left = try sum(above: 0)
            try expect(",")
            let right = try sum(above: 0)
            length = name.hasPrefix("min") ? .least(left, right) : .greatest(left, right)
        }
        try expect(")")
        return length
    }
}
