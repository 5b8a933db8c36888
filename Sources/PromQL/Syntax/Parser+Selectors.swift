// SPDX-License-Identifier: Apache-2.0

internal import Patterns
internal import Telemetry

/// Selectors and what follows an expression: `[5m]`, `[1h:1m]`, `offset`, `@`.
extension Parser {
    mutating func selector() throws(QuerySyntaxError) -> Expression {
        let start = current.range.lowerBound
        var matchers: [LabelMatcher] = []
        if case .identifier(let name) = current.kind {
            matchers.append(LabelMatcher(LabelSet.name, .equal, name))
            advance()
        } else if isNext(":") {
            matchers.append(LabelMatcher(LabelSet.name, .equal, nameOfColons()))
        }
        let hasName = !matchers.isEmpty
        if isNext("{") { matchers += try self.matchers() }
        let range = start..<previousEnd
        if hasName, matchers.dropFirst().contains(where: { $0.name == LabelSet.name && $0.operation == .equal }) {
            throw QuerySyntaxError("metric name must not be set twice", at: range, in: query)
        }
        var asksForSomething = false
        for matcher in matchers where try !acceptsEmpty(matcher, range) { asksForSomething = true }
        guard asksForSomething else {
            throw QuerySyntaxError(
                "vector selector must contain at least one non-empty matcher", at: range, in: query)
        }
        return Expression(form: .selector(Selector(matchers: matchers)), type: .vector, range: range)
    }

    /// A name that begins with a colon.
    private mutating func nameOfColons() -> String {
        var name = ""
        while isNext(":") {
            name += ":"
            advance()
        }
        if case .identifier(let rest) = current.kind {
            name += rest
            advance()
        }
        return name
    }

    private mutating func matchers() throws(QuerySyntaxError) -> [LabelMatcher] {
        try expect("{")
        var matchers: [LabelMatcher] = []
        while !isNext("}") {
            matchers.append(try matcher())
            guard isNext(",") else { break }
            advance()
        }
        try expect("}")
        return matchers
    }

    private mutating func matcher() throws(QuerySyntaxError) -> LabelMatcher {
        let start = current.range
        let name: String
        switch current.kind {
        case .identifier(let word) where !word.contains(":"):
            name = word
            advance()
        case .string(let word) where semantics == .v3:
            advance()
            // A name in quotes by itself is the metric's.
            guard case .symbol(let symbol) = current.kind, LabelMatcher.Operation(rawValue: symbol) != nil else {
                return LabelMatcher(LabelSet.name, .equal, word)
            }
            name = word
        default: throw error("unexpected \(words(current)) in label matching, expected identifier or \"}\"")
        }
        guard case .symbol(let symbol) = current.kind, let operation = LabelMatcher.Operation(rawValue: symbol) else {
            throw error("unexpected \(words(current)) in label matching, expected label matching operator")
        }
        advance()
        guard case .string(let value) = current.kind else {
            throw error("unexpected \(words(current)) in label matching, expected string")
        }
        advance()
        let matcher = LabelMatcher(name, operation, value)
        _ = try acceptsEmpty(matcher, start.lowerBound..<previousEnd)
        return matcher
    }

    /// Compiles what is an expression, so that a wrong one is refused here.
    private func acceptsEmpty(_ matcher: LabelMatcher, _ range: Range<Int>) throws(QuerySyntaxError) -> Bool {
        switch matcher.operation {
        case .equal: return matcher.value.isEmpty
        case .notEqual: return !matcher.value.isEmpty
        case .matches, .matchesNot:
            do {
                let accepts = try Pattern(matcher.value, .whole).matches("")
                return accepts == (matcher.operation == .matches)
            } catch {
                throw QuerySyntaxError("error parsing regexp: \(error)", at: range, in: query)
            }
        }
    }

    // MARK: What follows

    mutating func postfix() throws(QuerySyntaxError) -> Expression {
        var expression = try primary()
        while true {
            if isNext("[") {
                expression = try ranged(expression)
            } else if isNext(keyword: "offset") {
                advance()
                let offset = try offset()
                expression = try shifted(expression) { shift throws(QuerySyntaxError) in
                    guard shift.offset == nil else { throw error("offset may not be set multiple times") }
                    shift.offset = offset
                }
            } else if isNext("@") {
                advance()
                let anchor = try anchor()
                expression = try shifted(expression) { shift throws(QuerySyntaxError) in
                    guard shift.anchor == nil else { throw error("@ <timestamp> may not be set multiple times") }
                    shift.anchor = anchor
                }
            } else if semantics == .v3, let edges = edges() {
                expression = try extended(expression, edges)
            } else {
                return expression
            }
        }
    }

    private func edges() -> Selector.Edges? {
        [.anchored, .smoothed].first { isNext(keyword: $0.rawValue) }
    }

    private mutating func extended(
        _ expression: Expression, _ edges: Selector.Edges
    ) throws(QuerySyntaxError) -> Expression {
        let form: Expression.Form
        switch expression.form {
        case .range(var selector, let length) where selector.edges == .asFound:
            selector.edges = edges
            form = .range(selector, length)
        case .selector(var selector) where selector.edges == .asFound && edges == .smoothed:
            selector.edges = edges
            form = .selector(selector)
        default:
            let place = edges == .smoothed ? "selector" : "range of a selector"
            throw error("\(edges.rawValue) must follow a \(place), once")
        }
        advance()
        return Expression(form: form, type: expression.type, range: expression.range.lowerBound..<previousEnd)
    }

    private mutating func ranged(_ inner: Expression) throws(QuerySyntaxError) -> Expression {
        try expect("[")
        let length = try length()
        guard isNext(":") else {
            try expect("]")
            guard case .selector(let selector) = inner.form else {
                throw QuerySyntaxError("ranges only allowed for vector selectors", at: inner.range, in: query)
            }
            guard selector.isPlain else {
                throw QuerySyntaxError("no offset or @ modifiers allowed before range", at: inner.range, in: query)
            }
            return Expression(
                form: .range(selector, length), type: .matrix,
                range: inner.range.lowerBound..<previousEnd)
        }
        advance()
        let step = isNext("]") ? nil : try self.length()
        try expect("]")
        guard inner.type == .vector || inner.type == .scalar else {
            throw QuerySyntaxError(
                "subquery is only allowed on instant vector, got \(inner.type.words) instead", at: inner.range,
                in: query)
        }
        return Expression(
            form: .subquery(Subquery(inner: inner, range: length, step: step)), type: .matrix,
            range: inner.range.lowerBound..<previousEnd)
    }

    private mutating func anchor() throws(QuerySyntaxError) -> TimeShift.Anchor {
        for (word, anchor) in [("start", TimeShift.Anchor.start), ("end", .end)] where isNext(keyword: word) {
            advance()
            try expect("(")
            try expect(")")
            return anchor
        }
        var sign = 1.0
        while isNext("-") || isNext("+") {
            if isNext("-") { sign = -sign }
            advance()
        }
        guard case .number(let seconds) = current.kind, seconds.magnitude < QueryEngine.secondsMax else {
            throw error("timestamp out of bounds for @ modifier, or none: \(words(current))")
        }
        advance()
        return .time(Int64((sign * seconds * 1_000).rounded()))
    }

    private func shifted(
        _ expression: Expression, _ change: (inout TimeShift) throws(QuerySyntaxError) -> Void
    ) throws(QuerySyntaxError) -> Expression {
        let form: Expression.Form
        switch expression.form {
        case .selector(var selector):
            try change(&selector.shift)
            form = .selector(selector)
        case .range(var selector, let length):
            try change(&selector.shift)
            form = .range(selector, length)
        case .subquery(var subquery):
            try change(&subquery.shift)
            form = .subquery(subquery)
        default:
            throw QuerySyntaxError(
                "offset and @ modifiers must follow a selector or a subquery", at: expression.range, in: query)
        }
        return Expression(form: form, type: expression.type, range: expression.range.lowerBound..<previousEnd)
    }
}
