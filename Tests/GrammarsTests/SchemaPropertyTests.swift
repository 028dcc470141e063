import Foundation
import TestSupport
import Testing

@testable import Grammars
@testable import JSON

/// Generated schemas: texts sampled from an accepted one are valid, and a refused one has an error with a path.
@Suite(.timeLimit(.minutes(10))) struct SchemaPropertyTests {
    private static let rounds = TestEffort.count(300, all: 2_000)

    @Test func `texts sampled from a generated schema are valid, or the schema is refused with a path`() async throws {
        var (finished, refused) = (0, [String: Int]())
        var lines: [String] = []
        for round in 0..<Self.rounds {
            // Others wait for this thread, with deadlines.
            await Task.yield()
            var random = SeededGenerator(seed: UInt64(round))
            let schema = RandomSchema.root(&random)
            let text = String(decoding: schema.serialized, as: UTF8.self)
            var walk: GrammarWalk
            do {
                walk = try GrammarWalk(.jsonSchema(schema))
            } catch let error as GrammarError {
                #expect(!error.reason.isEmpty)
                // Only limits have an empty path, and types that are contradictory at the root.
                let isNamed = !error.path.isEmpty || error.isLimit || error.kind == .allowsNothing
                #expect(
                    isNamed || error.reason.contains("nests") || error.reason.contains("whole"), "\(text): \(error)")
                refused[error.reason.prefix(40).description, default: 0] += 1
                continue
            }
            for _ in 0..<2 {
                guard let drawn = try walk.draw(&random), let value = try? JSONValue(parsing: drawn) else { continue }
                finished += 1
                let isValid = try Self.isValid(value, schema)
                #expect(isValid, "round \(round): \(String(decoding: drawn, as: UTF8.self)) under \(text)")
                lines.append("{\"schema\":\(text),\"value\":\(String(decoding: drawn, as: UTF8.self))}")
            }
        }
        // For external checks: another implementation of JSON Schema can read the file.
        if let path = ProcessInfo.processInfo.environment["SCHEMA_SAMPLES"] {
            try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
        }
        #expect(finished > Self.rounds, "\(finished) finished, refused: \(refused)")
        #expect(refused.values.reduce(0, +) < Self.rounds / 3, "\(refused)")
    }

    private static func isValid(_ value: JSONValue, _ schema: JSONValue) throws -> Bool {
        var validator = SchemaValidator(root: schema)
        var builder = GrammarBuilder()
        return try validator.isValid(value, schema, &builder)
    }
}

/// Samples texts of a grammar, byte by byte.
struct GrammarWalk {
    private var automaton: GrammarAutomaton
    private let start: GrammarAutomaton.State

    /// The maximum size of a text; beyond the first of them texts are steered to their end.
    private static let (mostBytes, mostFree) = (1_500, 60)

    init(_ source: GrammarSource) throws {
        automaton = GrammarAutomaton(try source.grammar())
        start = try automaton.start()
    }

    /// `nil` if a text does not end in time.
    mutating func draw(_ random: inout SeededGenerator) throws -> [UInt8]? {
        var (state, text) = (start, [UInt8]())
        let common = Array("\"\"{}[],:0123456789abcdefxyz-. ".utf8)
        while text.count < Self.mostBytes {
            if automaton.accepts(state) {
                let mustEnd = automaton.isFinal(state) || text.count > Self.mostFree
                if mustEnd || Int.random(in: 0..<4, using: &random) == 0 { return text }
            }
            var next = GrammarAutomaton.dead
            func take(_ bytes: some Sequence<UInt8>) throws {
                for byte in bytes where next == GrammarAutomaton.dead {
                    next = try automaton.step(state, byte).next
                    if next != GrammarAutomaton.dead { text.append(byte) }
                }
            }
            if text.count > Self.mostFree { try take("]}\"".utf8) }
            for _ in 0..<8 where next == GrammarAutomaton.dead {
                try take([common.randomElement(using: &random) ?? 0x20])
            }
            if next == GrammarAutomaton.dead { try take((0x20...0x7E).shuffled(using: &random)) }
            if next == GrammarAutomaton.dead { try take((0x00...0xFF).shuffled(using: &random)) }
            guard next != GrammarAutomaton.dead else {
                Issue.record("nothing may follow \(String(decoding: text, as: UTF8.self))")
                return nil
            }
            state = next
        }
        return nil
    }
}

/// Schemas with all supported keywords.
private enum RandomSchema {
    static func root(_ random: inout SeededGenerator) -> JSONValue {
        let tree: JSONValue = [
            "type": "object",
            "properties": [
                "v": scalar(&random), "t": ["type": "array", "items": ["$ref": "#/$defs/tree"], "maxItems": 2],
            ],
            "required": ["v"],
        ]
        var root = schema(depth: 3, &random).object ?? [:]
        root["$defs"] = ["tree": tree]
        return .object(root)
    }

    private static func number(_ random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .integer(Int.random(in: -20...20, using: &random))
        case 1: .double(Double(Int.random(in: -2_000...2_000, using: &random)) / 100)
        case 2: .integer(Int.random(in: -9_007_199_254_740_991...9_007_199_254_740_991, using: &random))
        default: .double(Double(Int.random(in: -8...8, using: &random)) / 8)
        }
    }

    private static func scalar(_ random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return ["type": "boolean"]
        case 1: return ["type": "null"]
        case 2: return ["enum": ["a", "bc", 1, 2.5, nil, ["x"]]]
        case 3: return ["const": ["k0", 7, false].randomElement(using: &random) ?? nil]
        case 4, 5: return numbers(&random)
        default: return strings(&random)
        }
    }

    private static func numbers(_ random: inout SeededGenerator) -> JSONValue {
        var schema: JSONObject = ["type": random.oneIn(2) ? "integer" : "number"]
        if random.oneIn(2) { schema[random.oneIn(2) ? "minimum" : "exclusiveMinimum"] = number(&random) }
        if random.oneIn(2) { schema[random.oneIn(2) ? "maximum" : "exclusiveMaximum"] = number(&random) }
        if random.oneIn(4) {
            schema["multipleOf"] = [1, 2, 3, 7, 10, 100, 0.5, 0.25, 0.01, 1.5].randomElement(using: &random)
        }
        if random.oneIn(6) { schema["not"] = ["enum": [0, 1]] }
        return .object(schema)
    }

    private static func strings(_ random: inout SeededGenerator) -> JSONValue {
        var schema: JSONObject = ["type": "string"]
        if random.oneIn(3) {
            schema["pattern"] = [
                "^[a-z]+$", "[0-9]{2}", "^(?:ab|c)+", "x$", "^\\w+ \\w+$", "^(?!no)[a-z]{2,5}$", "^[^\"\\\\]*$",
            ].randomElement(using: &random)
        }
        if random.oneIn(4) {
            schema["format"] = [
                "date", "date-time", "time", "uuid", "email", "uri", "ipv4", "ipv6", "hostname", "duration", "password",
            ].randomElement(using: &random)
        }
        let least = Int.random(in: 0...4, using: &random)
        if random.oneIn(3) { schema["minLength"] = .integer(least) }
        if random.oneIn(3) { schema["maxLength"] = .integer(least + Int.random(in: 0...40, using: &random)) }
        if random.oneIn(8) { schema["not"] = ["enum": ["a", "ab", ""]] }
        if random.oneIn(12) { schema["x-order"] = 3 }
        return .object(schema)
    }

    private static func objects(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        var schema: JSONObject = random.oneIn(6) ? [:] : ["type": "object"]
        var (properties, required) = (JSONObject(), [JSONValue]())
        for index in 0..<Int.random(in: 0...4, using: &random) {
            properties["p\(index)"] = self.schema(depth: depth - 1, &random)
            if random.oneIn(2) { required.append(.string("p\(index)")) }
        }
        if !properties.isEmpty || random.oneIn(2) { schema["properties"] = .object(properties) }
        if !required.isEmpty { schema["required"] = .array(JSONArray(required)) }
        if random.oneIn(3) {
            schema["additionalProperties"] = random.oneIn(2) ? false : self.schema(depth: depth - 1, &random)
        }
        if random.oneIn(8) { schema["patternProperties"] = ["^p[12]": self.schema(depth: 0, &random)] }
        if random.oneIn(6) { schema["minProperties"] = .integer(Int.random(in: 0...2, using: &random)) }
        if random.oneIn(6) { schema["maxProperties"] = .integer(Int.random(in: 0...3, using: &random)) }
        if random.oneIn(8) { schema["propertyNames"] = ["pattern": "^[a-z]"] }
        if random.oneIn(8) { schema["dependentRequired"] = ["p0": ["p1"]] }
        if random.oneIn(10) {
            schema["if"] = ["properties": ["p0": ["type": "integer"]], "required": ["p0"]]
            schema["then"] = ["required": ["p1"]]
        }
        return .object(schema)
    }

    private static func arrays(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        var schema: JSONObject = ["type": "array"]
        if !random.oneIn(4) { schema["items"] = self.schema(depth: depth - 1, &random) }
        if random.oneIn(4) {
            schema["prefixItems"] = [self.schema(depth: depth - 1, &random), self.schema(depth: depth - 1, &random)]
        }
        let least = Int.random(in: 0...2, using: &random)
        if random.oneIn(2) { schema["minItems"] = .integer(least) }
        if random.oneIn(2) { schema["maxItems"] = .integer(least + Int.random(in: 0...3, using: &random)) }
        if random.oneIn(5) { schema["uniqueItems"] = true }
        return .object(schema)
    }

    static func schema(depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        guard depth > 0 else { return scalar(&random) }
        switch Int.random(in: 0..<14, using: &random) {
        case 0...3: return objects(depth, &random)
        case 4, 5: return arrays(depth, &random)
        case 6: return ["anyOf": [schema(depth: depth - 1, &random), schema(depth: depth - 1, &random)]]
        case 7: return ["oneOf": [schema(depth: depth - 1, &random), schema(depth: depth - 1, &random)]]
        case 8:
            let tags = (0..<3).map { index -> JSONValue in
                [
                    "type": "object", "properties": ["k": ["const": .string("t\(index)")], "v": scalar(&random)],
                    "required": random.oneIn(2) ? ["k"] : [],
                ]
            }
            return ["oneOf": .array(JSONArray(tags)), "discriminator": ["propertyName": "k"]]
        case 9: return ["allOf": [schema(depth: depth - 1, &random), schema(depth: depth - 1, &random)]]
        case 10: return ["$ref": "#/$defs/tree"]
        case 11:
            var object = schema(depth: depth - 1, &random).object ?? [:]
            object["not"] = schema(depth: depth - 1, &random)
            return .object(object)
        default: return scalar(&random)
        }
    }
}
