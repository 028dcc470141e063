extension TemplateInterpreter {
    func evaluate(_ expression: TemplateExpression) throws(TemplateFailure) -> TemplateValue {
        try descend()
        let value = try evaluateNode(expression)
        ascend()
        // Deeper values could exhaust the stack when they are printed, compared or freed.
        guard value.depth <= TemplateLimits.valueDepth else { throw .failed("a value is nested too deeply") }
        return value
    }

    private func evaluateNode(_ expression: TemplateExpression) throws(TemplateFailure) -> TemplateValue {
        switch expression {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .bigInteger(let digits): return .bigInteger(digits)
        case .double(let value): return .double(value)
        case .string(let string): return .string(string)
        case .variable(let name): return variable(name)
        case .list(let elements): return .list(try evaluate(elements))
        case .tuple(let elements): return .tuple(try evaluate(elements))
        case .dictionary(let members): return try dictionary(members)
        case .attribute(let owner, let name): return try attribute(name, of: try evaluate(owner))
        case .element(let owner, let index): return try element(try evaluate(index), of: try evaluate(owner))
        case .slice(let sequence, let from, let to, let by): return try slice(sequence, from, to, by)
        case .call(let callee, let arguments):
            let function = try evaluate(callee)
            return try call(function, try evaluate(arguments))
        case .filter(let operand, let filter): return try apply(filter, to: try evaluate(operand))
        case .test(let operand, let name, let arguments):
            let value = try evaluate(operand)
            return .bool(try test(name, value, try evaluate(arguments)))
        case .unary(.not, let operand): return .bool(!(try evaluate(operand).isTrue))
        case .unary(let operation, let operand): return try signed(try evaluate(operand), isMinus: operation == .minus)
        case .binary(.or, let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? value : try evaluate(right)
        case .binary(.and, let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? try evaluate(right) : value
        case .binary(let operation, let left, let right):
            let value = try evaluate(left)
            return try calculate(operation, value, try evaluate(right))
        case .comparison(let first, let links): return .bool(try compare(first, links))
        case .concatenation(let operands):
            var builder = TemplateStringBuilder()
            for operand in operands { try builder.append(try evaluate(operand).printed()) }
            return try value(builder.string)
        case .conditional(let condition, let then, let otherwise):
            if try evaluate(condition).isTrue { return try evaluate(then) }
            guard let otherwise else { return .undefined(.other("the inline if has no else")) }
            return try evaluate(otherwise)
        }
    }

    private func variable(_ name: String) -> TemplateValue {
        scope[name] ?? (Self.functionNames.contains(name) ? .function(name) : .undefined(.variable(name)))
    }

    private func evaluate(_ expressions: [TemplateExpression]) throws(TemplateFailure) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    private func dictionary(
        _ members: [(key: TemplateExpression, value: TemplateExpression)]
    ) throws(TemplateFailure) -> TemplateValue {
        var dictionary = TemplateDictionary()
        for member in members {
            let key = try self.key(try evaluate(member.key))
            dictionary.set(key, try evaluate(member.value))
        }
        return .dictionary(dictionary)
    }

    /// Returns `value` as a dictionary key, and charges for hashing it.
    func key(_ value: TemplateValue) throws(TemplateFailure) -> TemplateValue {
        try charge(value.weight)
        guard value.isHashable else { throw .failed("unhashable type: '\(value.typeName)'", .type) }
        return value
    }

    func evaluate(_ arguments: TemplateExpression.Arguments) throws(TemplateFailure) -> TemplateArguments {
        var values = TemplateArguments(positional: try evaluate(arguments.positional))
        if let rest = arguments.positionalRest { values.positional += try elements(of: try evaluate(rest)) }
        for (name, expression) in arguments.named {
            values.named.append((TemplateString(trusted: name), try evaluate(expression)))
        }
        if let rest = arguments.namedRest {
            guard case .dictionary(let dictionary) = try evaluate(rest) else {
                throw .failed("argument after ** must be a mapping")
            }
            for (key, value) in dictionary.pairs { values.named.append((try key.printed(), value)) }
        }
        return values
    }

    func apply(_ filter: TemplateExpression.Filter, to value: TemplateValue) throws(TemplateFailure) -> TemplateValue {
        try self.filter(filter.name, value, try evaluate(filter.arguments))
    }

    func call(_ callee: TemplateValue, _ arguments: TemplateArguments) throws(TemplateFailure) -> TemplateValue {
        switch callee {
        case .undefined(let undefined): throw .failed(undefined.message, undefined.kind)
        case .function(let name): return try callFunction(name, arguments)
        case .method(.object(let object), let name): return try object.call(name, arguments, in: self)
        case .method(let receiver, let name): return try callMethod(name, of: receiver, arguments)
        case .object(let object): return try object.call(nil, arguments, in: self)
        default: throw .failed("'\(callee.typeName)' object is not callable", .type)
        }
    }

    private func compare(
        _ first: TemplateExpression, _ links: [(operation: TemplateExpression.Comparison, operand: TemplateExpression)]
    ) throws(TemplateFailure) -> Bool {
        var left = try evaluate(first)
        for link in links {
            let right = try evaluate(link.operand)
            guard try compare(link.operation, left, right) else { return false }
            left = right
        }
        return true
    }

    func compare(
        _ operation: TemplateExpression.Comparison, _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateFailure) -> Bool {
        switch operation {
        case .equal: return try areEqual(left, right)
        case .notEqual: return !(try areEqual(left, right))
        case .in: return try contains(right, left)
        case .notIn: return !(try contains(right, left))
        case .less: return try isLess(left, right, "<")
        case .greater: return try isLess(right, left, ">")
        case .lessOrEqual: return try isLess(left, right, "<=") ? true : try areEqual(left, right)
        case .greaterOrEqual: return try isLess(right, left, ">=") ? true : try areEqual(left, right)
        }
    }

    func areEqual(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateFailure) -> Bool {
        try charge(min(left.weight, right.weight))
        return left.equals(right)
    }

    func isLess(_ left: TemplateValue, _ right: TemplateValue, _ sign: String = "<") throws(TemplateFailure) -> Bool {
        if case .undefined(let undefined) = left { throw .failed(undefined.message, undefined.kind) }
        if case .undefined(let undefined) = right { throw .failed(undefined.message, undefined.kind) }
        try charge(min(left.weight, right.weight))
        guard let isLess = left.isLess(than: right) else {
            throw .failed(
                "'\(sign)' not supported between instances of '\(left.typeName)' and '\(right.typeName)'", .type)
        }
        return isLess
    }

    func contains(_ container: TemplateValue, _ item: TemplateValue) throws(TemplateFailure) -> Bool {
        switch container {
        case .undefined: return false
        case .string(let text):
            guard let part = item.string else {
                throw .failed("'in <string>' requires string as left operand, not \(item.typeName)", .type)
            }
            try charge(text.byteCount / 16)
            return text.contains(part)
        case .list(let elements), .tuple(let elements), .iterable(_, let elements):
            try charge(elements.weight)
            return elements.values.contains { $0.equals(item) }
        case .dictionary(let dictionary):
            return dictionary[try key(item)] != nil
        default: throw .failed("argument of type '\(container.typeName)' is not iterable", .type)
        }
    }
}
