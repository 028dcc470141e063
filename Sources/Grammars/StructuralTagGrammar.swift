import JSON

/// Structural tags of vLLM and xgrammar: text in which the parts between given strings follow schemas.
struct StructuralTagGrammar {
    private typealias Part = GrammarBuilder.Part

    private static let mostDepth = 32

    private let json: JSONGrammar
    private var builder = GrammarBuilder()
    private var depth = 0

    private struct Tag {
        var begin: String
        var content: JSONValue
        var ends: [String]
        var path: SchemaPath
    }

    /// - Parameter format: the `format` of the newer form; see ``format(ofOlder:)``.
    /// - Throws: `GrammarError` that names what cannot be enforced.
    static func part(
        _ format: JSONValue, json: JSONGrammar, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> GrammarBuilder.Part {
        var compiler = StructuralTagGrammar(json: json)
        swap(&compiler.builder, &builder)
        defer { swap(&compiler.builder, &builder) }
        return try compiler.part(format, SchemaPath.root.appending("format"))
    }

    private init(json: JSONGrammar) { self.json = json }

    /// Converts the older form, `structures` and `triggers`, to a format.
    static func format(ofOlder tag: JSONValue) -> JSONValue {
        let tags = (tag["structures"]?.array ?? []).map { structure -> JSONValue in
            let content: JSONValue = ["type": "json_schema", "json_schema": structure["schema"] ?? true]
            return ["begin": structure["begin"] ?? "", "content": content, "end": structure["end"] ?? ""]
        }
        return ["type": "triggered_tags", "triggers": tag["triggers"] ?? [], "tags": .array(JSONArray(tags))]
    }

    private mutating func part(_ format: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Part {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { throw path.error("nests more than \(Self.mostDepth) formats") }
        try builder.visit()
        switch format["type"]?.string {
        case "const_string": return builder.markedText(try string(format, "value", path))
        case "json_schema":
            if let style = format["style"], style != "json" {
                throw path.appending("style").error("cannot be enforced unless it is 'json'")
            }
            let place = path.appending("json_schema")
            do throws(GrammarError) {
                return try JSONSchemaGrammar.part(format["json_schema"] ?? true, json: json, &builder)
            } catch {
                guard !error.isLimit else { throw error }
                throw place.appending(error.path).error(error.reason)
            }
        case "regex":
            let pattern = try string(format, "pattern", path)
            return try named(path.appending("pattern")) { builder throws(GrammarError) in
                try RegexGrammar.part(pattern, searches: false, &builder) { $0.utf8 }
            }
        case "grammar":
            let text = try string(format, "grammar", path)
            return try named(path.appending("grammar")) { builder throws(GrammarError) in
                try LarkGrammar.isLikely(text) ? LarkGrammar.part(text, &builder) : GBNFGrammar.part(text, &builder)
            }
        case "any_text": return try anyText(stops: [], format, path)
        case "sequence", "or":
            var parts: [Part] = []
            for (index, element) in try elements(format, "elements", path).enumerated() {
                parts.append(try part(element, path.appending("elements", at: index)))
            }
            return format["type"] == "or" ? .choice(parts) : .sequence(parts)
        case "tag": return try body(of: try tag(format, path), droppingFirst: 0)
        case "triggered_tags": return try triggered(format, path)
        case "tags_with_separator": return try separated(format, path)
        case let type?: throw path.appending("type").error("'\(type.prefix(80))' cannot be enforced")
        case nil: throw path.appending("type").error("is missing")
        }
    }

    private mutating func named(
        _ path: SchemaPath, _ part: (inout GrammarBuilder) throws(GrammarError) -> Part
    ) throws(GrammarError) -> Part {
        do throws(GrammarError) { return try part(&builder) } catch {
            throw error.isLimit ? error : path.error(error.reason)
        }
    }

    private func string(_ format: JSONValue, _ name: String, _ path: SchemaPath) throws(GrammarError) -> String {
        guard let text = format[name]?.string else { throw path.appending(name).error("must be a string") }
        return text
    }

    private func strings(_ format: JSONValue, _ name: String, _ path: SchemaPath) throws(GrammarError) -> [String] {
        guard let value = format[name] else { return [] }
        let texts = value.string.map { [$0] } ?? (value.array ?? []).compactMap(\.string)
        guard texts.count == value.array?.count ?? 1 else { throw path.appending(name).error("must be strings") }
        return texts
    }

    private func elements(
        _ format: JSONValue, _ name: String, _ path: SchemaPath
    ) throws(GrammarError) -> [JSONValue] {
        guard let elements = format[name]?.array, !elements.isEmpty else {
            throw path.appending(name).error("must be an array that is not empty")
        }
        return elements
    }

    private func tag(_ value: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Tag {
        let ends = try strings(value, "end", path)
        guard !ends.isEmpty else { throw path.appending("end").error("must be a string") }
        return Tag(begin: try string(value, "begin", path), content: value["content"] ?? [:], ends: ends, path: path)
    }

    private func tags(_ format: JSONValue, _ path: SchemaPath) throws(GrammarError) -> [Tag] {
        var tags: [Tag] = []
        for (index, value) in try elements(format, "tags", path).enumerated() {
            tags.append(try tag(value, path.appending("tags", at: index)))
        }
        return tags
    }

    /// A tag without the first characters of its beginning.
    private mutating func body(of tag: Tag, droppingFirst count: Int) throws(GrammarError) -> Part {
        let begin = builder.markedText(String(tag.begin.unicodeScalars.dropFirst(count)))
        let path = tag.path.appending("content")
        if tag.content["type"] == "any_text", !tag.ends.contains("") {
            return .sequence([begin, try anyText(stops: tag.ends, tag.content, path)])
        }
        let content = try part(tag.content, path)
        return try builder.rule(.sequence([begin, content, .choice(tag.ends.map { builder.markedText($0) })]))
    }

    /// Text up to and including one of some strings; without strings, text that may end anywhere.
    private mutating func anyText(
        stops: [String], _ format: JSONValue, _ path: SchemaPath
    ) throws(GrammarError) -> Part {
        let excluded = try strings(format, "excludes", path).filter { !$0.isEmpty }
        var text = try FreeText(stops: stops + excluded, builder)
        let rule = builder.declare()
        try text.define(rule, mayEnd: stops.isEmpty, &builder) { $0 < stops.count ? .nothing : nil }
        return .rule(rule)
    }

    private mutating func triggered(_ format: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Part {
        let triggers = try strings(format, "triggers", path)
        guard !triggers.isEmpty, !triggers.contains("") else {
            throw path.appending("triggers").error("must be strings that are not empty")
        }
        var bodies = [[Part]](repeating: [], count: triggers.count)
        for tag in try tags(format, path) {
            // Compared by characters, because text is read by characters.
            let begin = Array(tag.begin.unicodeScalars)
            guard let trigger = triggers.firstIndex(where: { begin.starts(with: $0.unicodeScalars) }) else {
                throw tag.path.appending("begin").error("does not begin with any trigger")
            }
            bodies[trigger].append(try body(of: tag, droppingFirst: triggers[trigger].unicodeScalars.count))
        }
        let excluded = try strings(format, "excludes", path).filter { !$0.isEmpty }
        let needsOne = format["at_least_one"]?.bool == true
        var text = try FreeText(stops: triggers + excluded, builder)
        let (first, later) = (builder.declare(), builder.declare())
        let endsAtOnce = format["stop_after_first"]?.bool == true
        let rest: Part = endsAtOnce ? .nothing : .rule(later)
        func behind(_ stop: Int) -> Part? {
            stop < triggers.count ? .sequence([.choice(bodies[stop]), rest]) : nil
        }
        try text.define(first, mayEnd: !needsOne, &builder, behind: behind)
        try text.define(later, mayEnd: true, &builder, behind: behind)
        return .rule(first)
    }

    private mutating func separated(_ format: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Part {
        var bodies: [Part] = []
        for tag in try tags(format, path) { bodies.append(try body(of: tag, droppingFirst: 0)) }
        let item = try builder.rule(.choice(bodies))
        let separator = builder.markedText(try string(format, "separator", path))
        let more: Part =
            format["stop_after_first"]?.bool == true
            ? .nothing : .times(.sequence([separator, item]), least: 0, most: nil)
        let list = Part.sequence([item, more])
        return format["at_least_one"]?.bool == true ? list : .optional(list)
    }
}
