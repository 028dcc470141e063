import JSON

/// Tool calls in the format of the model.
enum CallGrammar {
    private typealias Part = GrammarBuilder.Part

    /// Several calls or a single one; without the opening marker of the first if that has been read already.
    ///
    /// - Parameter tools: each as in the API; the arguments follow the tool's `parameters`. Unless a tool is `strict`, keywords
    ///   that cannot be enforced are ignored.
    static func part(
        _ tools: [JSONValue], _ format: GrammarSource.CallSyntax, isSingle: Bool, isOpen: Bool, json: JSONGrammar,
        _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> GrammarBuilder.Part {
        var bodies: [Part] = []
        for (index, tool) in tools.enumerated() {
            let function = tool["function"]
            let name = function?["name"]?.string ?? ""
            do throws(GrammarError) {
                let given = function?["parameters"] ?? .null
                let schema = given.isNull ? ["type": "object"] : given
                let isLenient = function?["strict"] != true
                let body =
                    switch format {
                    case .json: try jsonBody(name, schema, json, isLenient: isLenient, &builder)
                    case .xml: try xmlBody(name, schema, json, isLenient: isLenient, &builder)
                    }
                bodies.append(body)
            } catch {
                let path = "[\(index)].function.parameters"
                guard error != .cancelled else { throw error }
                var error = error
                error.path = error.path.isEmpty ? path : "\(path).\(error.path)"
                throw error
            }
        }
        let body = try builder.rule(
            .sequence([json.space, .choice(bodies), json.space, builder.marker("</tool_call>")]))
        if isOpen { return body }
        let call = try builder.rule(.sequence([builder.marker("<tool_call>"), body]))
        return isSingle ? call : .sequence([call, .times(.sequence([json.space, call]), least: 0, most: 31)])
    }

    private static func jsonBody(
        _ name: String, _ schema: JSONValue, _ json: JSONGrammar, isLenient: Bool, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        var head = Array("{\"name\": ".utf8)
        JSONValue.writeString(name, to: &head)
        head += ", \"arguments\": ".utf8
        let arguments = try JSONSchemaGrammar.part(schema, json: json, isLenient: isLenient, &builder)
        return .sequence([.literal(head), arguments, .text("}")])
    }

    /// One element for each property; a string is written without quotes.
    private static func xmlBody(
        _ name: String, _ schema: JSONValue, _ json: JSONGrammar, isLenient: Bool, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        let enforced = ["type", "properties", "required", "additionalProperties"]
        for (keyword, _) in schema.object ?? [:]
        where !isLenient && SchemaKeywords.isChecked(keyword) && !enforced.contains(keyword) {
            throw SchemaPath.root.appending(keyword).error("cannot be enforced in this model's format of calls")
        }
        let properties = schema["properties"]?.object ?? [:]
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        guard isLenient || required.allSatisfy({ properties[$0] != nil }) else {
            throw SchemaPath.root.appending("required").error("names a member that is not among the properties")
        }
        var parts: [Part] = [.text("<function=\(name)>\n")]
        for (key, value) in properties {
            let text = try JSONSchemaGrammar.part(
                value, at: SchemaPath.root.appending("properties", key), in: schema,
                isBare: value.isSchemaOfUnquotedText, json: json,
                isLenient: isLenient, &builder)
            let parameter = try builder.rule(
                .sequence([.text("<parameter=\(key)>\n"), text, .text("\n</parameter>\n")]))
            parts.append(required.contains(key) ? parameter : .optional(parameter))
        }
        return .sequence(parts + [.text("</function>")])
    }
}
