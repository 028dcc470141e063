import Basics
import JSON

/// Reads the tools of a request, in the spelling of its API.
struct ToolList {
    private struct Entry {
        var namespace: String?
        var name: String
        /// The members of the function, in the client's order.
        var function: JSONObject
        var isCustom = false
        /// Whether it is shown only once the conversation refers to it.
        var isDeferred = false
    }

    private let spelling: ToolSet.Spelling
    private let policy: ParameterPolicy
    private var entries: [Entry] = []
    /// Whether a tool that searches for deferred tools was left out. All deferred tools are then shown.
    private var lacksSearch = false

    init(_ spelling: ToolSet.Spelling, _ policy: ParameterPolicy) {
        self.spelling = spelling
        self.policy = policy
    }

    /// - Parameter references: the deferred tools that the conversation refers to.
    func tools(references: Set<String>) -> [ToolSet.Tool] {
        let shown = entries.filter { !$0.isDeferred || lacksSearch || references.contains($0.name) }
        let counts = Dictionary(shown.map { ($0.name, 1) }, uniquingKeysWith: +)
        return shown.map { entry in
            var name = entry.name
            var origin = ToolSet.Origin.function
            if let namespace = entry.namespace {
                origin = .member(namespace: namespace, name: name)
                if counts[name, default: 0] > 1 { name = "\(namespace)__\(name)" }
            } else if entry.isCustom {
                origin = .custom
            }
            var function = entry.function
            function["name"] = .string(name)
            return ToolSet.Tool(
                name: name, definition: ["type": "function", "function": .object(function)], origin: origin)
        }
    }

    /// Reads one tool. A hosted tool, which the API's provider would run, is left out.
    mutating func read(_ tool: JSONValue, at path: String) throws(APIError) {
        var reader = try FieldReader(tool, at: path, policy)
        let type = try reader.string("type")
        let isNested = !policy.isStrict && tool["function"]?.object != nil
        let isFlat = !policy.isStrict && tool["function"] == nil && tool["name"] != nil
        switch (spelling, type) {
        // A function is accepted in the spelling of another API, and without a type.
        case (.responses, "function") where isNested, (.messages, "function") where isNested,
            (.chat, nil) where isNested, (.responses, nil) where isNested:
            return try readFunction(tool["function"] ?? .null, at: "\(path).function", as: .chat)
        case (.chat, "function") where isFlat, (.chat, nil) where isFlat, (.responses, nil) where isFlat:
            return try readFunction(tool, at: path, as: .responses)
        case (.chat, nil) where !policy.isStrict, (.responses, nil) where !policy.isStrict:
            return try policy.ignoreUnsupported("tools")
        case (.chat, "function"):
            guard let function = reader.value("function") else { throw .missing(param: "\(path).function") }
            try readFunction(function, at: "\(path).function")
        case (.responses, "function"): try readFunction(tool, at: path)
        case (.responses, "custom"): try readCustom(&reader, at: path)
        case (.responses, "namespace"): return try readNamespace(&reader, at: path)
        case (.messages, nil), (.messages, "custom"): try readFunction(tool, at: path)
        case (.chat, nil), (.responses, nil): throw .missing(param: "\(path).type")
        case (_, let type?): return try leaveOut(type, at: path)
        }
        if spelling == .chat { try reader.finish() }
    }

    /// Reads `functions`, the older form of tools in chats, in which no object encloses each function.
    ///
    /// - Returns: whether there are any.
    mutating func readFunctions(_ reader: inout FieldReader) throws(APIError) -> Bool {
        let functions = try reader.array("functions") ?? []
        guard !functions.isEmpty else {
            let choice = reader.value("function_call")
            guard choice?.object == nil else {
                throw .invalid(param: "function_call", message: "'function_call' needs 'functions' to choose from.")
            }
            _ = try reader.word("function_call", among: ["none", "auto"])
            return false
        }
        guard entries.isEmpty else {
            throw .invalid(param: "functions", message: "'functions' is the older name of 'tools'; give one of them.")
        }
        for (index, function) in functions.enumerated() {
            if index & 255 == 255, Cancellation.isRequested { throw .aborted }
            try readFunction(function, at: "functions[\(index)]")
        }
        return true
    }

    private mutating func leaveOut(_ type: String, at path: String) throws(APIError) {
        if policy.isStrict { throw .unsupported(param: "\(path).type") }
        if type.hasPrefix("tool_search") { lacksSearch = true }
        try policy.ignoreUnsupported("tools.\(type)")
    }

    private mutating func readFunction(
        _ value: JSONValue, at path: String, in namespace: String? = nil, as form: ToolSet.Spelling? = nil
    ) throws(APIError) {
        let spelling = form ?? self.spelling
        var reader = try FieldReader(value, at: path, policy)
        let name = try Self.readName(&reader)
        let schema = spelling == .messages ? "input_schema" : "parameters"
        let parameters = try reader.object(schema)
        if spelling == .messages, parameters == nil { throw .missing(param: "\(path).\(schema)") }
        _ = try reader.string("description")
        _ = try reader.bool("strict")
        let isDeferred = try reader.bool("defer_loading") ?? false
        // No effect: prompts are cached and arguments are streamed without them.
        _ = try reader.object("cache_control")
        _ = reader.value("eager_input_streaming")
        if spelling != .chat { _ = reader.value("type") }
        try reader.finish()
        // Keeps the client's order, because the template writes the members in order.
        var function: JSONObject = [:]
        for (member, given) in value.object ?? [:] where !given.isNull {
            switch member {
            case "name", "description", "strict": function[member] = given
            case schema: function["parameters"] = given
            default: continue
            }
        }
        entries.append(
            Entry(
                namespace: namespace, name: name, function: function,
                // Only Anthropic's clients refer to deferred tools.
                isDeferred: isDeferred && self.spelling == .messages))
    }

    /// Reads the name of a tool or namespace. OpenAI's API allows only letters, digits, underscores and dashes, but clients also use
    /// names of MCP servers, with dots and slashes. Refuses what a call in the model's format cannot contain.
    private static func readName(_ reader: inout FieldReader) throws(APIError) -> String {
        let path = reader.path(to: "name")
        guard let name = try reader.string("name") else { throw .missing(param: path) }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 >= 0x20 && ![0x7F, 0x3C, 0x3E].contains($0) }) else {
            throw .invalid(
                param: path,
                message: "'\(path)' must have at least one character and no control characters, '<' or '>'.")
        }
        return name
    }

    private mutating func readCustom(_ reader: inout FieldReader, at path: String) throws(APIError) {
        let name = try Self.readName(&reader)
        var function: JSONObject = ["name": .string(name)]
        function["description"] = try reader.string("description").map(JSONValue.string)
        // A grammar for the text cannot be enforced inside a JSON string.
        try reader.ignore("format", unless: [["type": "text"]])
        _ = try reader.bool("defer_loading")
        try reader.finish()
        let argument = ToolSet.customArgument
        function["parameters"] = [
            "type": "object", "properties": .object([argument: ["type": "string"]]), "required": [.string(argument)],
            "additionalProperties": false,
        ]
        function["strict"] = true
        entries.append(Entry(name: name, function: function, isCustom: true))
    }

    private mutating func readNamespace(_ reader: inout FieldReader, at path: String) throws(APIError) {
        let namespace = try Self.readName(&reader)
        _ = try reader.string("description")
        guard let members = try reader.array("tools") else { throw .missing(param: "\(path).tools") }
        try reader.finish()
        for (index, member) in members.enumerated() {
            if index & 255 == 255, Cancellation.isRequested { throw .aborted }
            let path = "\(path).tools[\(index)]"
            guard let type = member["type"]?.string else { throw .missing(param: "\(path).type") }
            if type == "function" {
                try readFunction(member, at: path, in: namespace)
            } else {
                try leaveOut(type, at: path)
            }
        }
    }
}
