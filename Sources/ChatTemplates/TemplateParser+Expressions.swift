// Parses expressions by recursive descent, from the lowest precedence: inline if, or, and, not, comparisons, `+ -`, `~`,
// `* / // %`, `**`, unary `+ -`, postfix, filters and tests. Two rules of Jinja differ from Python: `**` is left-associative, and
// filters apply after a unary minus.

extension TemplateParser {
    mutating func parseExpression() throws(TemplateError) -> TemplateExpression {
        try enter()
        defer { leave() }
        var value = try parseOr()
        while skip(word: "if") {
            let condition = try parseOr()
            let otherwise = skip(word: "else") ? try parseExpression() : nil
            value = .conditional(condition: condition, then: value, else: otherwise)
        }
        return value
    }

    /// Parses one expression, or several separated by commas, which form a tuple without parentheses.
    mutating func parseTuple(allowsConditional: Bool = true, stop: String? = nil) throws(TemplateError)
        -> TemplateExpression
    {
        let first = allowsConditional ? try parseExpression() : try parseOr()
        guard current == .symbol(",") else { return first }
        var elements = [first]
        while skip(symbol: ",") {
            switch current {
            case .variableEnd, .blockEnd, .symbol(")"): return .tuple(elements)
            case .name(let word) where word == stop: return .tuple(elements)
            default: elements.append(allowsConditional ? try parseExpression() : try parseOr())
            }
        }
        return .tuple(elements)
    }

    private mutating func parseOr() throws(TemplateError) -> TemplateExpression {
        var left = try parseAnd()
        while skip(word: "or") { left = .binary(.or, left, try parseAnd()) }
        return left
    }

    private mutating func parseAnd() throws(TemplateError) -> TemplateExpression {
        var left = try parseNot()
        while skip(word: "and") { left = .binary(.and, left, try parseNot()) }
        return left
    }

    private mutating func parseNot() throws(TemplateError) -> TemplateExpression {
        guard skip(word: "not") else { return try parseComparison() }
        try enter()
        defer { leave() }
        return .unary(.not, try parseNot())
    }

    private mutating func parseComparison() throws(TemplateError) -> TemplateExpression {
        let first = try parseSum()
        var links: [(operation: TemplateExpression.Comparison, operand: TemplateExpression)] = []
        while true {
            if case .symbol(let symbol) = current, let operation = TemplateExpression.Comparison(rawValue: symbol) {
                advance()
                links.append((operation, try parseSum()))
            } else if skip(word: "in") {
                links.append((.in, try parseSum()))
            } else if current == .name("not"), next == .name("in") {
                advance()
                advance()
                links.append((.notIn, try parseSum()))
            } else {
                return links.isEmpty ? first : .comparison(first, links)
            }
        }
    }

    private mutating func parseSum() throws(TemplateError) -> TemplateExpression {
        var left = try parseConcatenation()
        while let operation = skipOperation(["+", "-"]) { left = .binary(operation, left, try parseConcatenation()) }
        return left
    }

    private mutating func parseConcatenation() throws(TemplateError) -> TemplateExpression {
        var operands = [try parseProduct()]
        while skip(symbol: "~") { operands.append(try parseProduct()) }
        return operands.count == 1 ? operands[0] : .concatenation(operands)
    }

    private mutating func parseProduct() throws(TemplateError) -> TemplateExpression {
        var left = try parsePower()
        while let operation = skipOperation(["*", "/", "//", "%"]) { left = .binary(operation, left, try parsePower()) }
        return left
    }

    private mutating func parsePower() throws(TemplateError) -> TemplateExpression {
        var left = try parseUnary()
        while let operation = skipOperation(["**"]) { left = .binary(operation, left, try parseUnary()) }
        return left
    }

    private mutating func skipOperation(_ symbols: [String]) -> TemplateExpression.Binary? {
        guard case .symbol(let symbol) = current, symbols.contains(symbol) else { return nil }
        advance()
        return TemplateExpression.Binary(rawValue: symbol)
    }

    mutating func parseUnary(allowsFilters: Bool = true) throws(TemplateError) -> TemplateExpression {
        try enter()
        defer { leave() }
        var value: TemplateExpression
        if skip(symbol: "-") {
            value = .unary(.minus, try parseUnary(allowsFilters: false))
        } else if skip(symbol: "+") {
            value = .unary(.plus, try parseUnary(allowsFilters: false))
        } else {
            value = try parsePrimary()
        }
        value = try parsePostfix(value)
        return allowsFilters ? try parseFiltersAndTests(value) : value
    }

    private mutating func parsePrimary() throws(TemplateError) -> TemplateExpression {
        let token = current
        advance()
        switch token {
        case .name(let name):
            switch name {
            case "true", "True": return .bool(true)
            case "false", "False": return .bool(false)
            case "none", "None": return .none
            default:
                mentions.insert(name)
                return .variable(name)
            }
        case .string(var text):
            while case .string(let more) = current {
                text += more
                advance()
            }
            return .string(TemplateString(trusted: text))
        case .integer(let value): return .integer(value)
        case .bigInteger(let digits): return .bigInteger(digits)
        case .double(let value): return .double(value)
        case .symbol("("):
            if skip(symbol: ")") { return .tuple([]) }
            let value = try parseTuple()
            try expect(.symbol(")"))
            return value
        case .symbol("["): return .list(try parseElements(closing: "]"))
        case .symbol("{"): return try parseDictionary()
        default: throw error("expected an expression, found \(token)")
        }
    }

    private mutating func parseElements(closing: String) throws(TemplateError) -> [TemplateExpression] {
        var elements: [TemplateExpression] = []
        while !skip(symbol: closing) {
            if !elements.isEmpty {
                try expect(.symbol(","))
                if skip(symbol: closing) { break }
            }
            elements.append(try parseExpression())
        }
        return elements
    }

    private mutating func parseDictionary() throws(TemplateError) -> TemplateExpression {
        var members: [(key: TemplateExpression, value: TemplateExpression)] = []
        while !skip(symbol: "}") {
            if !members.isEmpty {
                try expect(.symbol(","))
                if skip(symbol: "}") { break }
            }
            let key = try parseExpression()
            try expect(.symbol(":"))
            members.append((key, try parseExpression()))
        }
        return .dictionary(members)
    }

    // MARK: After an operand

    private mutating func parsePostfix(_ operand: TemplateExpression) throws(TemplateError) -> TemplateExpression {
        var value = operand
        while case .symbol(let symbol) = current {
            switch symbol {
            case ".":
                advance()
                if case .integer(let index) = current {
                    advance()
                    value = .element(value, index: .integer(index))
                } else {
                    value = .attribute(value, name: try expectName())
                }
            case "[":
                advance()
                value = try parseSubscript(of: value)
            case "(":
                value = .call(value, try parseArguments())
            default: return value
            }
        }
        return value
    }

    private mutating func parseSubscript(of value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
        var from: TemplateExpression?
        if current != .symbol(":") {
            let index = try parseTuple()
            if skip(symbol: "]") { return .element(value, index: index) }
            from = index
        }
        try expect(.symbol(":"))
        let to = try parseSliceBound()
        let by = skip(symbol: ":") ? try parseSliceBound() : nil
        try expect(.symbol("]"))
        return .slice(value, from: from, to: to, by: by)
    }

    private mutating func parseSliceBound() throws(TemplateError) -> TemplateExpression? {
        current == .symbol(":") || current == .symbol("]") ? nil : try parseExpression()
    }

    private mutating func parseArguments() throws(TemplateError) -> TemplateExpression.Arguments {
        try expect(.symbol("("))
        var arguments = TemplateExpression.Arguments()
        var isFirst = true
        while !skip(symbol: ")") {
            if !isFirst {
                try expect(.symbol(","))
                if skip(symbol: ")") { break }
            }
            isFirst = false
            if skip(symbol: "*") {
                guard arguments.positionalRest == nil else { throw error("only one '*' argument is allowed") }
                arguments.positionalRest = try parseExpression()
            } else if skip(symbol: "**") {
                guard arguments.namedRest == nil else { throw error("only one '**' argument is allowed") }
                arguments.namedRest = try parseExpression()
            } else if case .name(let name) = current, next == .symbol("=") {
                advance()
                advance()
                arguments.named.append((name, try parseExpression()))
            } else {
                guard arguments.named.isEmpty, arguments.namedRest == nil, arguments.positionalRest == nil else {
                    throw error("a positional argument follows a named one")
                }
                arguments.positional.append(try parseExpression())
            }
        }
        return arguments
    }

    private mutating func parseFiltersAndTests(_ operand: TemplateExpression) throws(TemplateError)
        -> TemplateExpression
    {
        var value = operand
        while true {
            if skip(symbol: "|") {
                value = .filter(value, try parseFilter())
            } else if skip(word: "is") {
                value = try parseTest(of: value)
            } else if current == .symbol("(") {
                value = .call(value, try parseArguments())
            } else {
                return value
            }
        }
    }

    mutating func parseFilter() throws(TemplateError) -> TemplateExpression.Filter {
        let name = try parseDottedName()
        let arguments = current == .symbol("(") ? try parseArguments() : TemplateExpression.Arguments()
        return TemplateExpression.Filter(name: name, arguments: arguments)
    }

    private mutating func parseTest(of value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
        let isNegated = skip(word: "not")
        let name = try parseDottedName()
        var arguments = TemplateExpression.Arguments()
        switch current {
        case .symbol("("): arguments = try parseArguments()
        case .name(let word) where ["else", "or", "and", "is", "if", "in", "not", "recursive"].contains(word):
            if word == "is" { throw error("tests cannot be chained with 'is'") }
        case .name, .string, .integer, .bigInteger, .double, .symbol("["), .symbol("{"):
            try enter()
            arguments.positional = [try parsePostfix(try parsePrimary())]
            leave()
        default: break
        }
        let test = TemplateExpression.test(value, name: name, arguments)
        return isNegated ? .unary(.not, test) : test
    }

    private mutating func parseDottedName() throws(TemplateError) -> String {
        var name = try expectName()
        while skip(symbol: ".") { name += "." + (try expectName()) }
        return name
    }
}
