// SPDX-License-Identifier: Apache-2.0

internal import Telemetry

/// Reads queries: operators by how closely they bind, and checks types as it goes.
struct Parser {
    let query: [UInt8]
    let semantics: Semantics
    private let tokens: [Token]
    private var place = 0
    private var depth = 0
    private var operators = 0

    /// Expressions within each other; beyond it a query is refused before it fills the stack.
    private static let depthMax = 100
    /// A chain of operators is as deep a tree as it is long.
    private static let operatorsMax = 500
    private static let bytesMax = 256 << 10

    init(_ query: String, _ semantics: Semantics) throws(QuerySyntaxError) {
        self.query = Array(query.utf8)
        guard self.query.count <= Self.bytesMax else {
            throw QuerySyntaxError("a query may have \(Self.bytesMax) bytes", at: 0..<0, in: [])
        }
        self.semantics = semantics
        tokens = try Lexer.tokens(of: self.query)
    }

    /// The whole query as one expression.
    mutating func parse() throws(QuerySyntaxError) -> Expression {
        guard current.kind != .end else { throw error("no expression found in input") }
        let expression = try expression()
        guard current.kind == .end else { throw error("unexpected \(words(current))") }
        if let edges = expression.edges, edges != .asFound, expression.type == .matrix {
            throw QuerySyntaxError("\(edges.rawValue) must be within a function", at: expression.range, in: query)
        }
        return expression
    }

    /// A selector alone, as `match[]` has them.
    mutating func parseSelector() throws(QuerySyntaxError) -> [LabelMatcher] {
        guard case .selector(let selector) = try parse().form, selector.isPlain else {
            throw QuerySyntaxError("expected a series selector", at: 0..<query.count, in: query)
        }
        return selector.matchers
    }

    // MARK: Operators

    private mutating func expression(above precedence: Int = 0) throws(QuerySyntaxError) -> Expression {
        try enter()
        defer { leave() }
        var left = try unary()
        while let binary = binaryOperator(), binary.precedence > precedence {
            let place = current.range
            try countOperator()
            advance()
            let isBool = take(keyword: "bool")
            if isBool, !binary.isComparison {
                throw QuerySyntaxError("bool modifier can only be used on comparison operators", at: place, in: query)
            }
            let matching = try matching(of: binary)
            // A power binds to the right.
            let right = try expression(above: binary == .power ? binary.precedence - 1 : binary.precedence)
            left = try checked(
                Binary(operator: binary, left: left, right: right, isBool: isBool, matching: matching), at: place)
        }
        return left
    }

    mutating func enter() throws(QuerySyntaxError) {
        guard depth < Self.depthMax else { throw error("too many expressions within each other") }
        depth += 1
    }

    mutating func leave() { depth -= 1 }

    mutating func countOperator() throws(QuerySyntaxError) {
        guard operators < Self.operatorsMax else { throw error("too many operators in one query") }
        operators += 1
    }

    private func binaryOperator() -> Binary.Operator? {
        switch current.kind {
        case .symbol(let symbol): Binary.Operator(rawValue: symbol)
        case .identifier(let name) where ["and", "or", "unless", "atan2"].contains(name.lowercased()):
            Binary.Operator(rawValue: name.lowercased())
        default: nil
        }
    }

    private mutating func matching(of binary: Binary.Operator) throws(QuerySyntaxError) -> Binary.Matching {
        var matching = Binary.Matching()
        if binary.isSet { matching.cardinality = .manyToMany }
        let isOn = take(keyword: "on")
        if isOn || take(keyword: "ignoring") {
            matching.isOn = isOn
            matching.names = try labelNames()
            try readGroup(of: binary, &matching)
        }
        try readFills(of: binary, &matching)
        return matching
    }

    private mutating func readGroup(
        of binary: Binary.Operator, _ matching: inout Binary.Matching
    ) throws(QuerySyntaxError) {
        let place = current.range
        if take(keyword: "group_left") {
            matching.cardinality = .manyToOne
        } else if take(keyword: "group_right") {
            matching.cardinality = .oneToMany
        } else {
            return
        }
        guard !binary.isSet else {
            throw QuerySyntaxError("no grouping allowed for \"\(binary.rawValue)\" operation", at: place, in: query)
        }
        if isNext("(") { matching.include = try labelNames() }
        if matching.isOn, let twice = matching.include.first(where: matching.names.contains) {
            throw QuerySyntaxError(
                "label \"\(twice)\" must not occur in ON and GROUP clause at once", at: place, in: query)
        }
    }

    /// `fill(0)`, `fill_left(0)`, `fill_right(0)`; without parentheses they are names of metrics.
    private mutating func readFills(
        of binary: Binary.Operator, _ matching: inout Binary.Matching
    ) throws(QuerySyntaxError) {
        while case .identifier(let word) = current.kind, semantics == .v3, following.kind == .symbol("("),
            ["fill", "fill_left", "fill_right"].contains(word.lowercased())
        {
            let (name, place) = (word.lowercased(), current.range)
            guard !binary.isSet else {
                throw QuerySyntaxError("no \(name) allowed for \"\(binary.rawValue)\" operation", at: place, in: query)
            }
            advance()
            try expect("(")
            let value = try unary()
            guard case .number(let number) = value.form else {
                throw QuerySyntaxError("\(name) takes a number", at: value.range, in: query)
            }
            try expect(")")
            for side in ["fill_left", "fill_right"] where name == "fill" || name == side {
                let filled: WritableKeyPath<Binary.Matching, Double?> = side == "fill_left" ? \.fillLeft : \.fillRight
                guard matching[keyPath: filled] == nil else {
                    throw QuerySyntaxError("\(side) is set twice", at: place, in: query)
                }
                matching[keyPath: filled] = number
            }
        }
    }

    /// Unary signs bind like multiplication: `-1^2` is `-(1^2)`.
    private mutating func unary() throws(QuerySyntaxError) -> Expression {
        guard isNext("-") || isNext("+") else { return try postfix() }
        let (start, isMinus) = (current.range.lowerBound, isNext("-"))
        advance()
        let inner = try expression(above: Binary.Operator.multiply.precedence)
        guard inner.type == .scalar || inner.type == .vector else {
            throw QuerySyntaxError(
                "unary expression only allowed on expressions of type scalar or instant vector, got \(inner.type.words)",
                at: inner.range, in: query)
        }
        let range = start..<inner.range.upperBound
        guard isMinus else { return Expression(form: inner.form, type: inner.type, range: range) }
        if case .number(let value) = inner.form {
            return Expression(form: .number(-value), type: .scalar, range: range)
        }
        return Expression(form: .negation(inner), type: inner.type, range: range)
    }

    // MARK: What stands by itself

    mutating func primary() throws(QuerySyntaxError) -> Expression {
        let token = current
        switch token.kind {
        case .number(let value):
            advance()
            return Expression(form: .number(value), type: .scalar, range: token.range)
        case .duration(let milliseconds):
            advance()
            return Expression(form: .number(Double(milliseconds) / 1_000), type: .scalar, range: token.range)
        case .string(let text):
            advance()
            return Expression(form: .string(text), type: .string, range: token.range)
        case .symbol("("):
            advance()
            let inner = try expression()
            try expect(")")
            return Expression(form: .parentheses(inner), type: inner.type, range: token.range.lowerBound..<previousEnd)
        case .symbol("{"), .symbol(":"):
            return try selector()
        case .identifier(let name):
            return try named(name)
        case .symbol, .end:
            throw error("unexpected \(words(token))")
        }
    }

    private mutating func named(_ name: String) throws(QuerySyntaxError) -> Expression {
        let next = following.kind
        if let aggregation = Aggregation.Operator(rawValue: name.lowercased()) {
            if next == .symbol("(") { return try self.aggregation(aggregation) }
            if case .identifier(let word) = next, ["by", "without"].contains(word.lowercased()) {
                return try self.aggregation(aggregation)
            }
        }
        if next == .symbol("(") { return try call(name) }
        if let value = ["inf", "nan"].contains(name.lowercased()) ? Lexer.number(name) : nil {
            let range = current.range
            advance()
            return Expression(form: .number(value), type: .scalar, range: range)
        }
        return try selector()
    }

    private mutating func call(_ name: String) throws(QuerySyntaxError) -> Expression {
        let start = current.range
        guard let function = Function.named(name, semantics) else {
            throw error("unknown function with name \"\(name)\"")
        }
        advance()
        let arguments = try arguments()
        try check(arguments, of: function, at: start)
        return Expression(
            form: .call(function, arguments), type: function.result, range: start.lowerBound..<previousEnd)
    }

    private mutating func aggregation(_ name: Aggregation.Operator) throws(QuerySyntaxError) -> Expression {
        let start = current.range
        advance()
        var grouping = try grouping()
        var arguments = try arguments()
        if grouping == nil { grouping = try self.grouping() }
        guard arguments.count == (name.parameter == nil ? 1 : 2) else {
            throw QuerySyntaxError(
                "wrong number of arguments for aggregate expression provided, expected \(name.parameter == nil ? 1 : 2), "
                    + "got \(arguments.count)", at: start, in: query)
        }
        let inner = arguments.removeLast()
        try expect(.vector, inner, "in aggregation \"\(name.rawValue)\"")
        if let type = name.parameter, let parameter = arguments.first {
            try expect(type, parameter, "in aggregation parameter of \"\(name.rawValue)\"")
        }
        let aggregation = Aggregation(
            operator: name, parameter: arguments.first, inner: inner,
            grouping: grouping ?? Grouping(names: [], isWithout: false))
        return Expression(form: .aggregation(aggregation), type: .vector, range: start.lowerBound..<previousEnd)
    }

    private mutating func grouping() throws(QuerySyntaxError) -> Grouping? {
        let isBy = take(keyword: "by")
        guard isBy || take(keyword: "without") else { return nil }
        return Grouping(names: try labelNames(), isWithout: !isBy)
    }

    private mutating func arguments() throws(QuerySyntaxError) -> [Expression] {
        try expect("(")
        var arguments: [Expression] = []
        while !isNext(")") {
            arguments.append(try expression())
            guard isNext(",") else { break }
            advance()
            if isNext(")") { throw error("unexpected \")\" after a comma") }
        }
        try expect(")")
        return arguments
    }

    mutating func labelNames() throws(QuerySyntaxError) -> [String] {
        try expect("(")
        var names: [String] = []
        while !isNext(")") {
            switch current.kind {
            case .identifier(let name) where !name.contains(":"): names.append(name)
            case .string(let name) where semantics == .v3: names.append(name)
            default: throw error("unexpected \(words(current)) in grouping opts, expected label")
            }
            advance()
            guard isNext(",") else { break }
            advance()
        }
        try expect(")")
        return names
    }

    // MARK: Tokens

    var current: Token { tokens[place] }
    private var following: Token { tokens[min(place + 1, tokens.count - 1)] }
    var previousEnd: Int { place > 0 ? tokens[place - 1].range.upperBound : 0 }

    mutating func advance() { if place + 1 < tokens.count { place += 1 } }

    func isNext(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }

    func isNext(keyword: String) -> Bool {
        if case .identifier(let name) = current.kind { name.lowercased() == keyword } else { false }
    }

    mutating func take(keyword: String) -> Bool {
        guard isNext(keyword: keyword) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(QuerySyntaxError) {
        guard isNext(symbol) else { throw error("unexpected \(words(current)), expected \"\(symbol)\"") }
        advance()
    }

    func words(_ token: Token) -> String {
        if token.kind == .end { return "end of input" }
        return "\"" + String(decoding: query[token.range], as: UTF8.self) + "\""
    }

    func error(_ message: String) -> QuerySyntaxError { QuerySyntaxError(message, at: current.range, in: query) }
}
