import Basics
import Foundation
import JSON

/// Executes the statements of one rendering. It is used once, on one thread.
final class TemplateInterpreter {
    /// The line of the current statement, for error messages.
    private(set) var line = 1
    /// The time of `strftime_now`.
    let now: Date
    private(set) var scope: TemplateScope
    private var output = TemplateStringBuilder()
    private var steps = 0
    /// The number of steps at which cancellation is checked again.
    private var nextPoll = 4096
    private var stringBytes = 0
    /// The number of string bytes at which cancellation is checked again.
    private var nextBytesPoll = Cancellation.checkpointBytes
    /// The maximum total size in bytes of the strings that this rendering creates.
    private let totalStringBytes: Int
    private var depth = 0
    private var macroDepth = 0
    private var objects: [any TemplateObject] = []

    private enum Flow { case next, `break`, `continue` }

    init(variables: JSONObject, untrusted: UntrustedInputs, now: Date) {
        self.now = now
        totalStringBytes = TemplateLimits.totalStringBytes(
            input: variables.reduce(0) { $0 + $1.value.stringBytes })
        let root = TemplateScope()
        for (name, value) in variables { root[name] = untrusted.value(value, ofVariable: name) }
        // A separate scope, because variables that a template sets must not shadow its inputs, and macros must see both.
        scope = TemplateScope(parent: root)
    }

    func run(_ body: [TemplateStatement]) throws(TemplateFailure) -> TemplateString {
        _ = try execute(body)
        return output.string
    }

    /// Breaks reference cycles between objects. The interpreter cannot be used afterwards.
    func releaseObjects() {
        for object in objects { object.release() }
    }

    // MARK: Limits

    func charge(_ count: Int) throws(TemplateFailure) {
        steps = steps.addingSaturated(count)
        guard steps <= TemplateLimits.steps else { throw .failed("the template takes too many steps") }
        guard steps >= nextPoll else { return }
        nextPoll = steps + 4096
        try poll()
    }

    func poll() throws(TemplateFailure) {
        if Cancellation.isRequested { throw .cancelled }
    }

    /// Returns a new string as a value, and charges for its bytes.
    func value(_ string: TemplateString) throws(TemplateFailure) -> TemplateValue {
        stringBytes += string.byteCount
        guard stringBytes <= totalStringBytes else {
            throw .failed("the template makes more than \(totalStringBytes) bytes of text")
        }
        try charge(string.byteCount / 64)
        if stringBytes >= nextBytesPoll {
            nextBytesPoll = stringBytes + Cancellation.checkpointBytes
            try poll()
        }
        return .string(string)
    }

    func object(_ object: some TemplateObject) -> TemplateValue {
        objects.append(object)
        return .object(object)
    }

    func descend() throws(TemplateFailure) {
        depth += 1
        guard depth <= TemplateLimits.evaluationDepth else { throw .failed("the template recurses too deeply") }
        try charge(1)
    }

    func ascend() { depth -= 1 }

    // MARK: Statements

    private func execute(_ body: [TemplateStatement]) throws(TemplateFailure) -> Flow {
        for statement in body {
            try descend()
            line = statement.line
            let flow = try execute(statement.kind)
            ascend()
            if flow != .next { return flow }
        }
        return .next
    }

    private func execute(_ statement: TemplateStatement.Kind) throws(TemplateFailure) -> Flow {
        switch statement {
        case .text(let text): try output.append(text)
        case .output(let expression): try output.append(try value(try evaluate(expression).printed()).string ?? "")
        case .conditional(let branches, let otherwise):
            for branch in branches where try evaluate(branch.condition).isTrue { return try execute(branch.body) }
            return try execute(otherwise)
        case .loop(let loop): try run(loop, over: try evaluate(loop.sequence), depth: 0)
        case .set(let target, let expression): try assign(try evaluate(expression), to: target)
        case .setBlock(let target, let filters, let body):
            try assign(try apply(filters, to: try capture(body)), to: target)
        case .macro(let definition): scope[definition.name] = object(TemplateMacro(definition, scope: scope))
        case .call(let callee, let arguments, let caller):
            let function = try evaluate(callee)
            var values = try evaluate(arguments)
            values.named.append(("caller", object(TemplateMacro(caller, scope: scope))))
            try output.append(try call(function, values).printed())
        case .filter(let filters, let body): try output.append(try apply(filters, to: try capture(body)).printed())
        case .scope(let variables, let body):
            let inner = TemplateScope(parent: scope)
            for variable in variables { try assign(try evaluate(variable.value), to: variable.target, in: inner) }
            return try within(inner) { () throws(TemplateFailure) in try execute(body) }
        case .break: return .break
        case .continue: return .continue
        }
        return .next
    }

    private func within<Result>(
        _ inner: TemplateScope, _ body: () throws(TemplateFailure) -> Result
    ) throws(TemplateFailure) -> Result {
        let outer = scope
        scope = inner
        defer { scope = outer }
        return try body()
    }

    private func capture(_ body: [TemplateStatement]) throws(TemplateFailure) -> TemplateValue {
        let outer = output
        output = TemplateStringBuilder()
        defer { output = outer }
        return try within(TemplateScope(parent: scope)) { () throws(TemplateFailure) in
            _ = try execute(body)
            return try value(output.string)
        }
    }

    private func apply(
        _ filters: [TemplateExpression.Filter], to value: TemplateValue
    ) throws(TemplateFailure) -> TemplateValue {
        var value = value
        for filter in filters { value = try apply(filter, to: value) }
        return value
    }

    private func assign(
        _ value: TemplateValue, to target: TemplateStatement.Target, in inner: TemplateScope? = nil
    ) throws(TemplateFailure) {
        switch target {
        case .variable(let name): (inner ?? scope)[name] = value
        case .member(let variable, let name):
            guard case .object(let object) = scope[variable], let namespace = object as? TemplateNamespace else {
                throw .failed("cannot assign attribute on non-namespace object")
            }
            try namespace.set(name, value)
        case .tuple(let targets):
            let values = try elements(of: value)
            guard values.count == targets.count else {
                throw .failed("cannot unpack \(values.count) values into \(targets.count) variables")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target, in: inner) }
        }
    }

    // MARK: Loops and macros

    /// Runs one level of a recursive loop. Its text is the value of the call `loop(...)`.
    func run(
        _ loop: TemplateStatement.Loop, over sequence: TemplateValue, in outer: TemplateScope, depth: Int
    ) throws(TemplateFailure) -> TemplateValue {
        try enterMacro()
        defer { macroDepth -= 1 }
        let before = output
        output = TemplateStringBuilder()
        defer { output = before }
        return try within(outer) { () throws(TemplateFailure) in
            try run(loop, over: sequence, depth: depth)
            return try value(output.string)
        }
    }

    private func run(
        _ loop: TemplateStatement.Loop, over sequence: TemplateValue, depth: Int
    ) throws(TemplateFailure) {
        let items = try accepted(try elements(of: sequence), by: loop)
        if items.isEmpty {
            _ = try within(TemplateScope(parent: scope)) { () throws(TemplateFailure) in try execute(loop.otherwise) }
            return
        }
        let state = TemplateLoop(items, depth: depth, recursion: loop.isRecursive ? loop : nil, scope: scope)
        let variable = object(state)
        for (index, item) in items.enumerated() {
            state.index = index
            let inner = TemplateScope(parent: scope)
            inner["loop"] = variable
            try assign(item, to: loop.target, in: inner)
            let flow = try within(inner) { () throws(TemplateFailure) in try execute(loop.body) }
            if flow == .break { return }
        }
    }

    /// Returns the items that pass the loop's `if`. The variable `loop` counts only these.
    private func accepted(
        _ items: [TemplateValue], by loop: TemplateStatement.Loop
    ) throws(TemplateFailure) -> [TemplateValue] {
        guard let condition = loop.condition else { return items }
        var accepted: [TemplateValue] = []
        for item in items {
            let inner = TemplateScope(parent: scope)
            try assign(item, to: loop.target, in: inner)
            if try within(inner, { () throws(TemplateFailure) in try evaluate(condition).isTrue }) {
                accepted.append(item)
            }
        }
        return accepted
    }

    private func enterMacro() throws(TemplateFailure) {
        guard macroDepth < TemplateLimits.macroDepth else { throw .failed("macros call each other too deeply") }
        macroDepth += 1
    }

    func call(macro: TemplateMacro, _ arguments: TemplateArguments) throws(TemplateFailure) -> TemplateValue {
        try enterMacro()
        defer { macroDepth -= 1 }
        let (outerScope, outerOutput, outerLine) = (scope, output, line)
        scope = TemplateScope(parent: macro.scope)
        defer { scope = outerScope }
        try bind(arguments, of: macro.definition)
        output = TemplateStringBuilder()
        defer { output = outerOutput }
        _ = try execute(macro.definition.body)
        line = outerLine
        return try value(output.string)
    }

    /// Sets the macro's parameters in the current scope. A default value can use the preceding parameters.
    private func bind(_ arguments: TemplateArguments, of macro: TemplateStatement.Macro) throws(TemplateFailure) {
        var named = arguments.named
        for (index, parameter) in macro.parameters.enumerated() {
            let place = named.firstIndex { $0.name.text == parameter.name }
            if index < arguments.positional.count {
                guard place == nil else {
                    throw .failed("macro '\(macro.name)' got two values for the argument '\(parameter.name)'")
                }
                scope[parameter.name] = arguments.positional[index]
            } else if let place {
                scope[parameter.name] = named.remove(at: place).value
            } else if let value = parameter.default {
                scope[parameter.name] = try evaluate(value)
            } else {
                scope[parameter.name] = .undefined(.other("parameter '\(parameter.name)' was not provided"))
            }
        }
        if macro.mentions.contains("caller") {
            let place = named.firstIndex { $0.name == "caller" }
            scope["caller"] = place.map { named.remove(at: $0).value } ?? .undefined(.other("no caller defined"))
        }
        if macro.mentions.contains("kwargs") {
            var rest = TemplateDictionary()
            for (name, value) in named { rest.set(.string(name), value) }
            scope["kwargs"] = .dictionary(rest)
        } else if let first = named.first {
            throw .failed("macro '\(macro.name)' takes no keyword argument '\(first.name.text)'")
        }
        let surplus = arguments.positional.dropFirst(macro.parameters.count)
        if macro.mentions.contains("varargs") {
            scope["varargs"] = .tuple(Array(surplus))
        } else if !surplus.isEmpty {
            throw .failed("macro '\(macro.name)' takes not more than \(macro.parameters.count) argument(s)")
        }
    }
}
