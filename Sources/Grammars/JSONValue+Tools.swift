import JSON

extension JSONValue {
    /// The tool with any object as arguments, unless it is strict.
    public var withoutSchemaUnlessStrict: JSONValue {
        guard self["function"]?["strict"] != true, var tool = object, var function = self["function"]?.object else {
            return self
        }
        function["parameters"] = ["type": "object"]
        tool["function"] = .object(function)
        return .object(tool)
    }

    /// The name of the tool without its other members, unless it is strict.
    public var nameUnlessStrict: JSONValue {
        guard let function = self["function"], function["strict"] != true else { return self }
        return ["function": ["name": function["name"] ?? ""]]
    }
}
