/// A value with identity: a namespace, a macro, the `loop` variable, ...
///
/// Objects can form reference cycles, so the interpreter releases their contents after a rendering.
protocol TemplateObject: AnyObject {
    var typeName: String { get }
    func attribute(_ name: String) -> TemplateValue?
    /// Calls the object, or its method `method`.
    func call(
        _ method: String?, _ arguments: TemplateArguments, in interpreter: TemplateInterpreter
    ) throws(TemplateFailure) -> TemplateValue
    func release()
}

extension TemplateObject {
    func notCallable(_ method: String?) -> TemplateFailure {
        .failed("'\(method ?? typeName)' object is not callable", .type)
    }
}

/// The evaluated arguments of a call.
struct TemplateArguments {
    var positional: [TemplateValue] = []
    var named: [(name: TemplateString, value: TemplateValue)] = []

    /// Returns the arguments in the order of `parameters`, with `nil` for missing ones.
    func bind(_ function: String, _ parameters: String...) throws(TemplateFailure) -> [TemplateValue?] {
        guard positional.count <= parameters.count else {
            throw .failed("\(function)() takes at most \(parameters.count) arguments (\(positional.count) given)")
        }
        var values: [TemplateValue?] = positional
        values += repeatElement(nil, count: parameters.count - positional.count)
        for (name, value) in named {
            guard let index = parameters.firstIndex(of: name.text) else {
                throw .failed("\(function)() got an unexpected keyword argument '\(name.text)'")
            }
            guard values[index] == nil else {
                throw .failed("\(function)() got two values for argument '\(name.text)'")
            }
            values[index] = value
        }
        return values
    }
}

/// `namespace()`: the only object that a template can modify. It passes values out of loops.
final class TemplateNamespace: TemplateObject {
    private var members: [String: TemplateValue] = [:]

    var typeName: String { "Namespace" }
    func attribute(_ name: String) -> TemplateValue? { members[name] }
    func release() { members = [:] }

    func set(_ name: String, _ value: TemplateValue) throws(TemplateFailure) {
        guard !name.hasPrefix("_") else { throw .failed("a namespace attribute must not begin with '_': '\(name)'") }
        members[name] = value
    }

    func call(
        _ method: String?, _ arguments: TemplateArguments, in interpreter: TemplateInterpreter
    ) throws(TemplateFailure) -> TemplateValue {
        if let method, let value = members[method] { return try interpreter.call(value, arguments) }
        throw notCallable(method)
    }
}

/// A macro and the scope of its definition. The macro sees the variables of the scope with their values at the time of the call.
final class TemplateMacro: TemplateObject {
    let definition: TemplateStatement.Macro
    private(set) var scope: TemplateScope?

    init(_ definition: TemplateStatement.Macro, scope: TemplateScope) {
        self.definition = definition
        self.scope = scope
    }

    var typeName: String { "Macro" }
    func release() { scope = nil }

    func attribute(_ name: String) -> TemplateValue? {
        switch name {
        case "name": .string(trusted: definition.name)
        case "arguments": .tuple(definition.parameters.map { .string(trusted: $0.name) })
        case "catch_varargs": .bool(definition.mentions.contains("varargs"))
        case "catch_kwargs": .bool(definition.mentions.contains("kwargs"))
        case "caller": .bool(definition.mentions.contains("caller"))
        default: nil
        }
    }

    func call(
        _ method: String?, _ arguments: TemplateArguments, in interpreter: TemplateInterpreter
    ) throws(TemplateFailure) -> TemplateValue {
        if method != nil { throw notCallable(method) }
        return try interpreter.call(macro: self, arguments)
    }
}

/// The variable `loop`.
final class TemplateLoop: TemplateObject {
    private var items: [TemplateValue]
    private let depth: Int
    /// The loop that runs on a sequence one level deeper, or `nil` unless the loop is `recursive`.
    private var recursion: TemplateStatement.Loop?
    private var scope: TemplateScope?
    private var lastChanged: TemplateValue?
    var index = 0

    init(_ items: [TemplateValue], depth: Int, recursion: TemplateStatement.Loop?, scope: TemplateScope) {
        (self.items, self.depth, self.recursion, self.scope) = (items, depth, recursion, scope)
    }

    var typeName: String { "LoopContext" }

    func release() {
        (items, scope, lastChanged) = ([], nil, nil)
    }

    func attribute(_ name: String) -> TemplateValue? {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(items.count - index)
        case "revindex0": .integer(items.count - index - 1)
        case "first": .bool(index == 0)
        case "last": .bool(index == items.count - 1)
        case "length": .integer(items.count)
        case "depth": .integer(depth + 1)
        case "depth0": .integer(depth)
        case "previtem": index > 0 ? items[index - 1] : .undefined(.other("there is no previous item"))
        case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined(.other("there is no next item"))
        case "cycle", "changed": .method(.object(self), name: name)
        default: nil
        }
    }

    func call(
        _ method: String?, _ arguments: TemplateArguments, in interpreter: TemplateInterpreter
    ) throws(TemplateFailure) -> TemplateValue {
        switch method {
        case nil:
            guard let recursion, let scope else { throw .failed("the loop must be marked 'recursive' to call it") }
            let sequence = try arguments.bind("loop", "iterable")[0] ?? .none
            return try interpreter.run(recursion, over: sequence, in: scope, depth: depth + 1)
        case "cycle":
            guard !arguments.positional.isEmpty else { throw .failed("no items for cycling given") }
            return arguments.positional[index % arguments.positional.count]
        case "changed":
            let value = TemplateValue.tuple(arguments.positional)
            try interpreter.charge(value.weight)
            defer { lastChanged = value }
            return .bool(!(lastChanged?.equals(value) ?? false))
        default: throw notCallable(method)
        }
    }
}

/// `cycler(...)`: returns its items in turn.
final class TemplateCycler: TemplateObject {
    private var items: [TemplateValue]
    private var position = 0

    init(_ items: [TemplateValue]) { self.items = items }

    var typeName: String { "Cycler" }
    func release() { items = [] }

    func attribute(_ name: String) -> TemplateValue? {
        switch name {
        case "current": items[position]
        case "next", "reset": .method(.object(self), name: name)
        default: nil
        }
    }

    func call(
        _ method: String?, _ arguments: TemplateArguments, in interpreter: TemplateInterpreter
    ) throws(TemplateFailure) -> TemplateValue {
        switch method {
        case "next":
            defer { position = (position + 1) % items.count }
            return items[position]
        case "reset":
            position = 0
            return .none
        default: throw notCallable(method)
        }
    }
}

/// `joiner(separator)`: returns nothing on the first call, and the separator on later calls.
final class TemplateJoiner: TemplateObject {
    private let separator: TemplateValue
    private var isUsed = false

    init(_ separator: TemplateValue) { self.separator = separator }

    var typeName: String { "Joiner" }
    func attribute(_ name: String) -> TemplateValue? { nil }
    func release() {}

    func call(
        _ method: String?, _ arguments: TemplateArguments, in interpreter: TemplateInterpreter
    ) throws(TemplateFailure) -> TemplateValue {
        if method != nil { throw notCallable(method) }
        defer { isUsed = true }
        return isUsed ? separator : .string("")
    }
}
