// Parses tokens into a tree of statements. Expressions are parsed in an extension.

struct TemplateParser {
    private let tokens: [TemplateToken]
    private var position = 0
    private var depth = 0
    /// The number of loops around the current tag within its macro. `break` requires at least one.
    private var loopDepth = 0
    /// The variables named so far in the innermost macro.
    var mentions: Set<String> = []

    /// - Parameter tokens: the tokens of the source. The last one must be `.end`.
    init(tokens: [TemplateToken]) {
        self.tokens = tokens
    }

    mutating func parseTemplate() throws(TemplateError) -> [TemplateStatement] {
        try parseBody(until: [], opening: "")
    }

    // MARK: Tokens

    var current: TemplateToken.Kind { tokens[position].kind }
    var next: TemplateToken.Kind { tokens[min(position + 1, tokens.count - 1)].kind }

    mutating func advance() {
        if position < tokens.count - 1 { position += 1 }
    }

    mutating func skip(_ kind: TemplateToken.Kind) -> Bool {
        guard current == kind else { return false }
        advance()
        return true
    }

    mutating func skip(symbol: String) -> Bool { skip(.symbol(symbol)) }
    mutating func skip(word: String) -> Bool { skip(.name(word)) }

    mutating func expect(_ kind: TemplateToken.Kind) throws(TemplateError) {
        guard skip(kind) else { throw error("expected \(kind), found \(current)") }
    }

    mutating func expectName() throws(TemplateError) -> String {
        guard case .name(let name) = current else { throw error("expected a name, found \(current)") }
        advance()
        return name
    }

    func error(_ message: String) -> TemplateError {
        .syntax(message: message, line: tokens[position].line)
    }

    /// Counts one level of brackets or blocks. The caller must call ``leave()`` at its end.
    mutating func enter() throws(TemplateError) {
        depth += 1
        guard depth <= TemplateLimits.parserDepth else { throw error("nested too deeply") }
    }

    mutating func leave() { depth -= 1 }

    // MARK: Statements

    /// Parses statements up to a tag in `ends`. Afterwards the parser is at this tag, after its `{%`. If `ends` is empty, parses
    /// all statements up to the end of the template.
    private mutating func parseBody(until ends: Set<String>, opening: String) throws(TemplateError)
        -> [TemplateStatement]
    {
        try enter()
        defer { leave() }
        var body: [TemplateStatement] = []
        while true {
            let line = tokens[position].line
            switch current {
            case .data(let text):
                advance()
                body.append(TemplateStatement(kind: .text(TemplateString(trusted: text)), line: line))
            case .variableBegin:
                advance()
                let value = try parseTuple()
                try expect(.variableEnd)
                body.append(TemplateStatement(kind: .output(value), line: line))
            case .blockBegin:
                advance()
                if case .name(let word) = current, ends.contains(word) { return body }
                body.append(TemplateStatement(kind: try parseTag(), line: line))
            default:
                guard ends.isEmpty else { throw error("'\(opening)' is not closed") }
                return body
            }
        }
    }

    /// Parses the body of a block and its closing tag. The `%}` of the opening tag has not been read yet.
    private mutating func parseBlock(_ opening: String) throws(TemplateError) -> [TemplateStatement] {
        try expect(.blockEnd)
        let body = try parseBody(until: ["end" + opening], opening: opening)
        advance()
        try expect(.blockEnd)
        return body
    }

    private mutating func parseTag() throws(TemplateError) -> TemplateStatement.Kind {
        let word = try expectName()
        switch word {
        case "if": return try parseConditional()
        case "for": return try parseLoop()
        case "set": return try parseSet()
        case "macro": return try parseMacro()
        case "call": return try parseCallBlock()
        case "filter":
            let filters = try parseFilterChain()
            return .filter(filters, body: try parseBlock("filter"))
        case "with": return try parseWith()
        case "generation": return .scope([], body: try parseBlock("generation"))
        case "break", "continue":
            guard loopDepth > 0 else { throw error("'\(word)' outside a loop") }
            try expect(.blockEnd)
            return word == "break" ? .break : .continue
        default: throw error("unknown tag '\(word)'")
        }
    }

    private mutating func parseConditional() throws(TemplateError) -> TemplateStatement.Kind {
        var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
        var otherwise: [TemplateStatement] = []
        while true {
            let condition = try parseTuple(allowsConditional: false)
            try expect(.blockEnd)
            branches.append((condition, try parseBody(until: ["elif", "else", "endif"], opening: "if")))
            if skip(word: "elif") { continue }
            if skip(word: "else") {
                try expect(.blockEnd)
                otherwise = try parseBody(until: ["endif"], opening: "if")
            }
            advance()
            try expect(.blockEnd)
            return .conditional(branches: branches, else: otherwise)
        }
    }

    private mutating func parseLoop() throws(TemplateError) -> TemplateStatement.Kind {
        let target = try parseTarget(allowsMember: false)
        try expect(.name("in"))
        let sequence = try parseTuple(allowsConditional: false, stop: "recursive")
        let condition = skip(word: "if") ? try parseExpression() : nil
        let isRecursive = skip(word: "recursive")
        try expect(.blockEnd)
        loopDepth += 1
        let body = try parseBody(until: ["else", "endfor"], opening: "for")
        loopDepth -= 1
        var otherwise: [TemplateStatement] = []
        if skip(word: "else") {
            try expect(.blockEnd)
            otherwise = try parseBody(until: ["endfor"], opening: "for")
        }
        advance()
        try expect(.blockEnd)
        return .loop(
            TemplateStatement.Loop(
                target: target, sequence: sequence, condition: condition, isRecursive: isRecursive, body: body,
                otherwise: otherwise))
    }

    private mutating func parseSet() throws(TemplateError) -> TemplateStatement.Kind {
        let target = try parseTarget(allowsMember: true)
        if skip(symbol: "=") {
            let value = try parseTuple()
            try expect(.blockEnd)
            return .set(target, value)
        }
        let filters = skip(symbol: "|") ? try parseFilterChain() : []
        return .setBlock(target, filters: filters, body: try parseBlock("set"))
    }

    private mutating func parseTarget(allowsMember: Bool) throws(TemplateError) -> TemplateStatement.Target {
        var targets: [TemplateStatement.Target] = []
        var isTuple = false
        repeat {
            // A comma may also end the list.
            if isTuple, current == .name("in") || current == .symbol("=") || current == .symbol(")") { break }
            if skip(symbol: "(") {
                try enter()
                targets.append(try parseTarget(allowsMember: allowsMember))
                try expect(.symbol(")"))
                leave()
            } else {
                targets.append(try parseSingleTarget(allowsMember: allowsMember))
            }
            if current == .symbol(",") { isTuple = true }
        } while skip(symbol: ",")
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func parseSingleTarget(allowsMember: Bool) throws(TemplateError) -> TemplateStatement.Target {
        let name = try expectName()
        guard !["true", "false", "none", "True", "False", "None", "loop"].contains(name) else {
            throw error("cannot assign to '\(name)'")
        }
        if allowsMember, skip(symbol: ".") {
            mentions.insert(name)
            return .member(of: name, name: try expectName())
        }
        return .variable(name)
    }

    private mutating func parseMacro() throws(TemplateError) -> TemplateStatement.Kind {
        let name = try expectName()
        return .macro(try parseMacro(named: name, block: "macro", parameters: try parseParameters()))
    }

    private mutating func parseMacro(
        named name: String, block: String, parameters: [(name: String, default: TemplateExpression?)]
    ) throws(TemplateError) -> TemplateStatement.Macro {
        let (outerMentions, outerLoopDepth) = (mentions, loopDepth)
        (mentions, loopDepth) = ([], 0)
        let body = try parseBlock(block)
        let macro = TemplateStatement.Macro(name: name, parameters: parameters, body: body, mentions: mentions)
        (mentions, loopDepth) = (outerMentions.union(mentions), outerLoopDepth)
        return macro
    }

    private mutating func parseParameters() throws(TemplateError) -> [(name: String, default: TemplateExpression?)] {
        try expect(.symbol("("))
        var parameters: [(name: String, default: TemplateExpression?)] = []
        while !skip(symbol: ")") {
            if !parameters.isEmpty {
                try expect(.symbol(","))
                if skip(symbol: ")") { break }
            }
            let name = try expectName()
            let value = skip(symbol: "=") ? try parseExpression() : nil
            guard value != nil || parameters.allSatisfy({ $0.default == nil }) else {
                throw error("a parameter without default follows one with default")
            }
            parameters.append((name, value))
        }
        return parameters
    }

    private mutating func parseCallBlock() throws(TemplateError) -> TemplateStatement.Kind {
        let parameters = current == .symbol("(") ? try parseParameters() : []
        guard case .call(let callee, let arguments) = try parseUnary() else { throw error("expected a call") }
        return .call(callee, arguments, caller: try parseMacro(named: "caller", block: "call", parameters: parameters))
    }

    private mutating func parseWith() throws(TemplateError) -> TemplateStatement.Kind {
        var variables: [(target: TemplateStatement.Target, value: TemplateExpression)] = []
        while current != .blockEnd {
            if !variables.isEmpty { try expect(.symbol(",")) }
            let target = TemplateStatement.Target.variable(try expectName())
            try expect(.symbol("="))
            variables.append((target, try parseExpression()))
        }
        return .scope(variables, body: try parseBlock("with"))
    }

    /// Parses `name(arguments)|name...` after the first `|`.
    private mutating func parseFilterChain() throws(TemplateError) -> [TemplateExpression.Filter] {
        var filters = [try parseFilter()]
        while skip(symbol: "|") { filters.append(try parseFilter()) }
        return filters
    }
}
