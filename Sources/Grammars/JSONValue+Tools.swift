import JSON

extension JSONValue {
    /// A tool whose arguments may be any object, unless they are to follow its schema.
    public var withoutSchemaUnlessStrict: JSONValue {
        guard self["function"]?["strict"] != true, var tool = object, var function = self["function"]?.object else {
            return self
        }
        function["parameters"] = ["type": "object"]
        tool["function"] = .object(function)
        return .object(tool)
    }

    /// What a grammar needs to know of a tool: its name, unless its arguments are to follow its schema.
    public var nameUnlessStrict: JSONValue {
        guard let function = self["function"], function["strict"] != true else { return self }
        return ["function": ["name": function["name"] ?? ""]]
    }
}
