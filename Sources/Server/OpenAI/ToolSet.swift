import Basics
import JSON

/// The tools of a chat and how the reply may use them, in one form for all APIs.
struct ToolSet: Sendable {
    /// A tool that the model knows.
    struct Tool: Sendable {
        /// The name that the model uses.
        var name: String
        /// The definition that chat templates read: `{"type": "function", "function": {...}}`.
        var definition: JSONValue
        var origin = Origin.function
    }

    /// How the client declared a tool.
    enum Origin: Sendable, Hashable {
        case function
        /// A member of a namespace of the Responses API.
        case member(namespace: String, name: String)
        /// A tool that takes text instead of JSON. For the model, it is a function with one string, ``ToolSet/customArgument``.
        case custom
    }

    /// Whether the reply may or must call tools, and which.
    enum Choice: Sendable, Hashable {
        case none, auto, required
        case named(String)
    }

    /// The argument that holds the text for a custom tool.
    static let customArgument = "input"

    private(set) var tools: [Tool] = []
    /// The indices of tools by the model's name, and by namespace and name. Conversations and streams look them up often.
    private var byName: [String: Int] = [:]
    private var byMember: [Origin: Int] = [:]
    /// The first member with each name, in any namespace.
    private var byMemberName: [String: Int] = [:]
    private(set) var choice = Choice.auto
    /// The tools that may be called; nil: all of them.
    private(set) var allowed: Set<String>?
    /// Whether a reply may call several tools.
    private(set) var callsInParallel = true
    /// Whether the client declared them as `functions`, the older form of chat completions. A reply then has at most one call.
    private(set) var areFunctions = false

    init() {}

    /// The tools that the template shows to the model; none when the choice is `none`.
    var definitions: [JSONValue] { choice == .none ? [] : tools.map(\.definition) }

    /// Whether the reply must be tool calls.
    var mustCall: Bool {
        switch choice {
        case .none, .auto: false
        case .required, .named: true
        }
    }

    /// The parameter of the request that determines how the reply calls tools, for errors.
    var parameter: String {
        switch (mustCall, areFunctions) {
        case (true, true): "function_call"
        case (true, false): "tool_choice"
        case (false, true): "functions"
        case (false, false): "tools"
        }
    }

    /// The model's name of the only tool that the reply may call.
    var namedTool: String? {
        if case .named(let name) = choice { name } else { nil }
    }

    /// The tools that the reply may call.
    var callable: [JSONValue] {
        guard choice != .none else { return [] }
        return tools.filter { tool in
            if let namedTool { return tool.name == namedTool }
            return allowed?.contains(tool.name) ?? true
        }.map(\.definition)
    }

    /// The tools that are not plain functions, without definitions, for a formatter that outlives the request's text.
    var namesOnly: ToolSet {
        var copy = ToolSet()
        copy.tools = tools.filter { $0.origin != .function }.map {
            Tool(name: $0.name, definition: .null, origin: $0.origin)
        }
        copy.index()
        return copy
    }

    /// Returns how the client declared the tool that has this name for the model.
    func origin(of name: String) -> Origin {
        byName[name].map { tools[$0].origin } ?? .function
    }

    /// Returns the model's name of the tool that the client names.
    func name(of name: String, in namespace: String?) -> String {
        guard let namespace else { return name }
        return byMember[.member(namespace: namespace, name: name)].map { tools[$0].name } ?? name
    }

    private mutating func index() {
        (byName, byMember, byMemberName) = ([:], [:], [:])
        for (number, tool) in tools.enumerated().reversed() {
            byName[tool.name] = number
            if case .member(_, let name) = tool.origin {
                (byMember[tool.origin], byMemberName[name]) = (number, number)
            }
        }
    }
}

extension ToolSet {
    /// How each API spells tools.
    enum Spelling {
        /// `{"type": "function", "function": {"name": ..., "parameters": ...}}`
        case chat
        /// `{"type": "function", "name": ..., "parameters": ...}`
        case responses
        /// `{"name": ..., "input_schema": ...}`
        case messages
    }

    /// Reads `tools`, `tool_choice` and `parallel_tool_calls`, and in chats the older `functions` and `function_call`.
    ///
    /// - Parameter references: the deferred tools that the conversation refers to.
    /// - Throws: the `APIError` that names the first invalid member.
    init(
        _ reader: inout FieldReader, _ spelling: Spelling, references: Set<String> = []
    ) throws(APIError) {
        let given = try reader.array("tools") ?? []
        var list = ToolList(spelling, reader.policy)
        for (index, tool) in given.enumerated() {
            if index & 255 == 255, Cancellation.isRequested { throw .aborted }
            try list.read(tool, at: "tools[\(index)]")
        }
        if spelling == .chat { areFunctions = try list.readFunctions(&reader) }
        tools = list.tools(references: references)
        index()
        if areFunctions {
            callsInParallel = false
            _ = try reader.bool("parallel_tool_calls")
            try reader.refuse("tool_choice", unless: ["auto"])
            try readFunctionCall(&reader)
        } else if spelling == .messages {
            try readMessagesChoice(&reader)
        } else {
            callsInParallel = try reader.bool("parallel_tool_calls") ?? true
            try readChoice(&reader, spelling)
        }
        guard mustCall, callable.isEmpty else { return }
        throw .invalid(param: "tool_choice", message: "'tool_choice' requires 'tools'.")
    }

    /// Reads `function_call`: `none`, `auto`, or an object with the name of a function.
    private mutating func readFunctionCall(_ reader: inout FieldReader) throws(APIError) {
        guard let value = reader.value("function_call") else { return }
        guard value.object != nil else {
            guard value.string != nil else {
                throw .wrongType(value, at: "function_call", expected: "'none', 'auto' or an object")
            }
            if try reader.word("function_call", among: ["none", "auto"]) == "none" { choice = .none }
            return
        }
        var object = try FieldReader(value, at: "function_call", reader.policy)
        guard let name = try object.string("name") else { throw .missing(param: "function_call.name") }
        try object.finish()
        choice = .named(try find(name, at: "function_call.name"))
    }

    private mutating func readChoice(_ reader: inout FieldReader, _ spelling: Spelling) throws(APIError) {
        guard let value = reader.value("tool_choice") else { return }
        guard value.object != nil else {
            guard value.string != nil else {
                throw .wrongType(value, at: "tool_choice", expected: "'none', 'auto', 'required' or an object")
            }
            // The last one is Mistral's and Anthropic's word.
            let words = ["none", "auto", "required"] + (reader.policy.isStrict ? [] : ["any"])
            switch try reader.word("tool_choice", among: words) {
            case "none": choice = .none
            case "required", "any": choice = .required
            default: break
            }
            return
        }
        var object = try FieldReader(value, at: "tool_choice", reader.policy)
        var types = ["function"] + (spelling == .responses ? ["custom"] : []) + ["allowed_tools"]
        // Clients of several APIs mix their forms.
        let words = ["none", "auto", "required", "any"]
        if !reader.policy.isStrict { types += words }
        let isNamed = !reader.policy.isStrict && (value["function"] ?? value["name"]) != nil
        guard let type = try object.word("type", among: types) ?? (isNamed ? "function" : nil) else {
            throw .missing(param: "tool_choice.type")
        }
        if words.contains(type) {
            choice = type == "none" ? .none : type == "auto" ? .auto : .required
        } else if type == "allowed_tools" {
            try readAllowed(&object)
        } else {
            let tool = try Self.toolName(&object, type, spelling)
            choice = .named(try find(tool.name, at: tool.path))
        }
        try object.finish()
    }

    /// Reads `{"mode": "auto", "tools": [...]}`, which is in a separate object in chats.
    private mutating func readAllowed(_ object: inout FieldReader) throws(APIError) {
        var body = try object.reader("allowed_tools") ?? object
        _ = object.value("mode")
        _ = object.value("tools")
        if try body.word("mode", among: ["auto", "required"]) == "required" { choice = .required }
        let path = body.path(to: "tools")
        guard let list = try body.array("tools") else { throw .missing(param: path) }
        var names: Set<String> = []
        for (index, tool) in list.enumerated() {
            if index & 255 == 255, Cancellation.isRequested { throw .aborted }
            var reader = try FieldReader(tool, at: "\(path)[\(index)]", body.policy)
            guard let type = try reader.string("type") else { throw .missing(param: reader.path(to: "type")) }
            // Hosted tools are left out here as in 'tools'.
            guard ["function", "custom"].contains(type) else { continue }
            let name = try Self.toolName(&reader, type, .responses)
            names.insert(try find(name.name, at: name.path))
        }
        allowed = names
        // If the list allows no tool, for instance because all are hosted, the reply must not call any.
        if names.isEmpty, choice != .required { choice = .none }
    }

    /// Reads `tool_choice`: `auto`, `any`, `tool` or `none`, always in an object.
    private mutating func readMessagesChoice(_ reader: inout FieldReader) throws(APIError) {
        guard var object = try reader.reader("tool_choice") else { return }
        guard let type = try object.word("type", among: ["auto", "any", "tool", "none"]) else {
            throw .missing(param: "tool_choice.type")
        }
        if try object.bool("disable_parallel_tool_use") == true { callsInParallel = false }
        let name = try object.string("name")
        try object.finish()
        switch type {
        case "tool":
            guard let name else { throw .missing(param: "tool_choice.name") }
            choice = .named(try find(name, at: "tool_choice.name"))
        case "any": choice = .required
        case "none": choice = .none
        default: break
        }
    }

    /// A name with its path in the body.
    private struct NamedPath {
        var name: String
        var path: String
    }

    /// Returns the name of the chosen tool, which is in an object named after the type, or beside the type.
    private static func toolName(
        _ reader: inout FieldReader, _ type: String, _ spelling: Spelling
    ) throws(APIError) -> NamedPath {
        if var nested = try reader.reader(type) {
            guard let name = try nested.string("name") else { throw .missing(param: nested.path(to: "name")) }
            try nested.finish()
            return NamedPath(name: name, path: nested.path(to: "name"))
        }
        guard let name = try reader.string("name") else {
            throw .missing(param: reader.path(to: spelling == .chat ? "function" : "name"))
        }
        _ = try reader.string("namespace")
        return NamedPath(name: name, path: reader.path(to: "name"))
    }

    /// Returns the model's name of the tool with this name.
    private func find(_ name: String, at path: String) throws(APIError) -> String {
        if let number = byName[name] ?? byMemberName[name] { return tools[number].name }
        throw .invalid(param: path, message: "'\(path)' is '\(name.excerpt)', which is not among the tools.")
    }
}
