import Grammars
import JSON

/// The constraint of a request on its output: `response_format`, `structured_outputs`, or one of the older names.
struct StructuredOutput: Sendable, Hashable {
    var source: GrammarSource
    /// The parameter that an error names.
    var param: String
    /// Whether it constrains only the answer, so that the model may also call tools.
    var allowsCalls = false

    /// - Throws: `APIError` if it is malformed, or if two parameters differ.
    static func read(_ reader: inout FieldReader, _ model: ServedModel) throws(APIError) -> StructuredOutput? {
        var all = [
            try read(format: reader.value("response_format"), at: "response_format", .chat, reader.policy),
            try structuredOutputs(&reader), try schema(&reader, "guided_json"),
            try regex(&reader, "guided_regex"), try choice(&reader, "guided_choice"),
            try grammar(&reader, "guided_grammar"),
            // The names of llama.cpp, whose clients also send an empty grammar, and of SGLang.
            try schema(&reader, "json_schema"),
            try reader.value("grammar") == "" ? nil : grammar(&reader, "grammar"), try regex(&reader, "regex"),
            try grammar(&reader, "ebnf"),
        ].compactMap(\.self)
        guard let structuredOutput = all.popLast() else { return nil }
        // The same constraint under an older name is allowed.
        if let other = all.last(where: { $0.source != structuredOutput.source }) {
            throw .invalid(
                param: structuredOutput.param,
                message: "'\(structuredOutput.param)' and '\(other.param)' cannot be used together.")
        }
        guard model.hasTokenizer else {
            throw .textUnavailable(
                param: structuredOutput.param,
                message: "This model has no tokenizer, so structured output is not available.")
        }
        return structuredOutput
    }

    static func structuralTag(_ value: JSONValue, at path: String) throws(APIError) -> StructuredOutput {
        if value["format"] == nil {
            for name in ["structures", "triggers"] where value[name]?.array?.isEmpty ?? true {
                throw .invalid(
                    param: "\(path).\(name)",
                    message: "'\(path)' needs 'format', or 'structures' and 'triggers' that are arrays and not empty.")
            }
        }
        return StructuredOutput(source: .structuralTags(value), param: path)
    }

    /// vLLM also accepts a structural tag as text.
    private static func structuralTag(_ reader: inout FieldReader, _ name: String) throws(APIError) -> StructuredOutput?
    {
        guard let value = reader.value(name) else { return nil }
        let path = reader.path(to: name)
        var tag: JSONValue? = value
        if let text = value.string { tag = try parse(text, at: path) }
        guard let object = tag, object.object != nil else {
            throw .invalid(param: path, message: "'\(path)' must be an object or its text.")
        }
        return try structuralTag(object, at: path)
    }

    /// The JSON in a string; `nil` if it is none. Its values are not charged to the request, so its size is checked first.
    private static func parse(_ text: String, at path: String) throws(APIError) -> JSONValue? {
        let (count, most) = (text.utf8.count, GrammarSource.mostBytes)
        guard count <= most else {
            throw .invalid(param: path, message: "'\(path)' has \(count) bytes, more than \(most).")
        }
        return try? JSONValue(parsing: text)
    }

    private static func structuredOutputs(_ reader: inout FieldReader) throws(APIError) -> StructuredOutput? {
        guard let value = reader.value("structured_outputs") else { return nil }
        var options = try FieldReader(value, at: "structured_outputs", reader.policy)
        var all = [
            try schema(&options, "json"), try regex(&options, "regex"), try choice(&options, "choice"),
            try grammar(&options, "grammar"), try structuralTag(&options, "structural_tag"),
        ].compactMap(\.self)
        if try options.bool("json_object") == true {
            all.append(StructuredOutput(source: .jsonObject, param: "structured_outputs.json_object"))
        }
        // No effect: white space between tokens is always bounded, and members that a schema does not name are left out.
        _ = try options.bool("disable_any_whitespace")
        _ = try options.bool("disable_additional_properties")
        try options.finishStrictly()
        guard all.count == 1 else {
            throw .invalid(
                param: "structured_outputs",
                message:
                    "'structured_outputs' must have one of json, regex, choice, grammar, json_object and structural_tag, not \(all.count)."
            )
        }
        return all[0]
    }

    /// - Parameter mayBeText: whether `true`, `false` and JSON in a string, which vLLM accepts, are schemas too.
    static func schema(
        _ reader: inout FieldReader, _ name: String, mayBeText: Bool = true
    ) throws(APIError) -> StructuredOutput? {
        let path = reader.path(to: name)
        guard mayBeText else {
            return try reader.object(name).map { StructuredOutput(source: .jsonSchema(.object($0)), param: path) }
        }
        guard let value = reader.value(name) else { return nil }
        guard let text = value.string else {
            guard value.object != nil || value.bool != nil else {
                throw .wrongType(value, at: path, expected: "a schema or its text")
            }
            return StructuredOutput(source: .jsonSchema(value), param: path)
        }
        guard let schema = try parse(text, at: path), schema.object != nil else {
            throw .invalid(param: path, message: "'\(path)' must be a JSON object.")
        }
        return StructuredOutput(source: .jsonSchema(schema), param: path)
    }

    private static func regex(_ reader: inout FieldReader, _ name: String) throws(APIError) -> StructuredOutput? {
        try reader.string(name).map { StructuredOutput(source: .regex($0), param: reader.path(to: name)) }
    }

    private static func grammar(_ reader: inout FieldReader, _ name: String) throws(APIError) -> StructuredOutput? {
        try reader.string(name).map { StructuredOutput(source: .grammar($0), param: reader.path(to: name)) }
    }

    private static func choice(_ reader: inout FieldReader, _ name: String) throws(APIError) -> StructuredOutput? {
        guard let values = try reader.array(name) else { return nil }
        let path = reader.path(to: name)
        var texts: [String] = []
        for (index, value) in values.enumerated() { texts.append(try value.requireString(at: "\(path)[\(index)]")) }
        guard !texts.isEmpty, !texts.contains("") else {
            throw .invalid(param: path, message: "'\(path)' must contain at least one string, and none that is empty.")
        }
        return StructuredOutput(source: .choice(texts), param: path)
    }
}

extension StructuredOutput {
    /// Compiles the constraint to a grammar.
    ///
    /// - Parameter tenant: the tenant of the request. Grammars are not shared between tenants.
    /// - Throws: the `APIError` that names what cannot be enforced.
    func compile(
        _ compiler: GrammarCompiler, beginsWithSpace: Bool, tenant: String
    ) throws(APIError) -> CompiledGrammar {
        guard source.bytes <= GrammarSource.mostBytes else {
            throw .invalid(
                param: param,
                message: "'\(param)' has \(source.bytes) bytes, more than \(GrammarSource.mostBytes).")
        }
        do throws(GrammarError) {
            return try compiler.compile(source, beginsWithSpace: beginsWithSpace, tenant: tenant)
        } catch {
            if error == .tooManyInUse { throw .overloaded(.memory, retryAfter: 1) }
            let isTool = error.path.hasPrefix("[")
            let param = isTool && allowsCalls ? "tools" : param
            let place = error.path.isEmpty ? param : isTool ? param + error.path : "\(param).\(error.path)"
            throw .invalid(param: param, message: "'\(place)' \(error.reason).")
        }
    }
}
