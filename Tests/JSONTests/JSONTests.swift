import Basics
import Foundation
import JSON
import TestSupport
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-7", "12345678901234567890", "1.5", "1e+22", "1e-07", "\"\"", "\"a\\n\\\"\\\\\"",
        "[]", "{}", "[1,[2,{\"b\":1,\"a\":2.0}],null]", "\"é🚀\"", "\"\\u0001\"",
    ])
    func `a value in canonical form survives a round trip`(text: String) throws {
        #expect(String(decoding: try JSONValue(parsing: text).serialized, as: UTF8.self) == text)
    }

    @Test(
        arguments: [
            ("\"\\ud83d\\ude80\"", JSONValue.string("🚀")), (" [ 1 , 2 ] \n", [1, 2]), ("1E2", 100.0), ("-0", 0),
            ("{\"a\":1,\"b\":2,\"a\":3}", ["b": 2, "a": 3]),
        ] as [(String, JSONValue)])
    func `a text is parsed to its value`(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test(
        arguments: [
            ("", 0), ("[1,]", 3), ("{\"a\"}", 4), ("01", 1), ("1.", 2), ("1e", 2), ("1e999", 0), ("tru", 0), ("\"a", 0),
            ("\"\\ud83d\"", 7), ("\"\\x\"", 2), ("[1] 2", 4), ("{a:1}", 1), ("\"\u{1}\"", 1), ("NaN", 0), ("-", 1),
        ] as [(String, Int)])
    func `an invalid text is refused with the byte offset`(text: String, offset: Int) {
        #expect { try JSONValue(parsing: text) } throws: { ($0 as? JSONError)?.offset == offset }
    }

    @Test func `invalid UTF-8 is refused`() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `nesting is bounded`() throws {
        let deepest = JSONValue.maximumDepth
        for inner in ["", "1"] {
            func text(_ depth: Int) -> String {
                String(repeating: "[", count: depth) + inner + String(repeating: "]", count: depth)
            }
            _ = try JSONValue(parsing: text(deepest))
            #expect(throws: JSONError.self) { try JSONValue(parsing: text(deepest + 1)) }
        }
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 100_000)) }
    }

    @Test func `names that differ only in normalization are different members`() throws {
        let value = try JSONValue(parsing: "{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value.object?.count == 2)
        #expect(value["e\u{301}"] == 2)
    }

    @Test func `numbers are those of the standard library`() throws {
        var random = SeededGenerator(seed: 41)
        for _ in 0..<20_000 {
            var text = random.oneIn(2) ? "-" : ""
            text += String(Int.random(in: 0...(random.oneIn(2) ? 999 : .max), using: &random))
            if random.oneIn(2) {
                text += "." + String(UInt64.random(in: 0...(random.oneIn(2) ? 99 : .max), using: &random))
            }
            if random.oneIn(2) { text += "e" + String(Int.random(in: -40...40, using: &random)) }
            let value = try JSONValue(parsing: text)
            if case .integer(let integer) = value {
                #expect(Int(text) == integer, "\(text)")
            } else {
                #expect(value.double?.bitPattern == Double(text)?.bitPattern, "\(text)")
            }
        }
        #expect(try JSONValue(parsing: "-0.0").double?.sign == .minus)
        #expect(try JSONValue(parsing: "-9223372036854775808") == .integer(.min))
        #expect(try JSONValue(parsing: "9223372036854775808") == .bigInteger("9223372036854775808"))
    }

    @Test(
        arguments: [
            (0.3, "0.3"), (0.1, "0.1"), (-1.5, "-1.5"), (0, "0.0"), (16_777_216, "16777216.0"), (1e-9, "1e-09"),
            (.greatestFiniteMagnitude, "3.4028235e+38"), (.leastNonzeroMagnitude, "1e-45"),
        ] as [(Float, String)])
    func `a float32 is written with the digits that identify it`(value: Float, text: String) throws {
        #expect(String(decoding: JSONValue.float(value).serialized, as: UTF8.self) == text)
        #expect(try JSONValue(parsing: text).double.map { Float($0) } == value)
    }

    @Test func `strings end and are escaped correctly at every offset`() throws {
        for length in 0..<40 {
            let plain = String(repeating: "é", count: length / 2) + String(repeating: "x", count: length % 2)
            for special in ["\"", "\\", "\n", "\r", "\t", "\u{0}", "\u{1F}", "/", "\u{7F}", "🚀"] {
                let value = JSONValue.string(plain + special + plain)
                #expect(try JSONValue(parsing: [UInt8](" ".utf8) + value.serialized) == value)
                let decoded = try JSONDecoder().decode([String].self, from: Data([0x5B] + value.serialized + [0x5D]))
                #expect(decoded.first == value.string)
            }
            let raw = Array("\"\(plain)".utf8)
            for control in UInt8(0)..<0x20 {
                #expect { try JSONValue(parsing: raw + [control, 0x22]) } throws: {
                    ($0 as? JSONError)?.offset == raw.count
                }
            }
        }
    }

    @Test func `an object of any size finds its members`() throws {
        for count in [0, 1, 15, 16, 17, 100, 3000] {
            var object = JSONObject()
            for index in 0..<count { object["name \(index)"] = .integer(index) }
            for index in 0..<count { object["name \(index)"] = .integer(-index) }
            for index in stride(from: 0, to: count, by: 7) { object["name \(index)"] = nil }
            let left = (0..<count).filter { $0 % 7 > 0 }
            #expect(object.map(\.name) == left.map { "name \($0)" })
            #expect(left.allSatisfy { object["name \($0)"] == .integer(-$0) })
            #expect(object["name"] == nil && object["name 0"] == nil)
        }
    }

    @Test func `a repeated member is refused if that is configured`() throws {
        let strict = JSONLimits(refusesRepeatedNames: true)
        for text in ["{\"a\":1,\"a\":1}", "[{\"b\":{\"x\":1,\"a\":2,\"\\u0061\":3}}]"] {
            #expect { try JSONValue(parsing: text, limits: strict) } throws: {
                ($0 as? JSONError)?.reason == "an object has the member 'a' twice"
            }
            _ = try JSONValue(parsing: text)
        }
        let many = (0..<100).map { "\"m\($0)\":0" }.joined(separator: ",")
        _ = try JSONValue(parsing: "{\(many)}", limits: strict)
        #expect(throws: JSONError.self) { try JSONValue(parsing: "{\(many),\"m7\":0}", limits: strict) }
    }

    @Test func `the number of values is bounded`() throws {
        let limits = JSONLimits(values: 5)
        _ = try JSONValue(parsing: "[1,{\"a\":[2]},3]".replacing(",3", with: ""), limits: limits)
        #expect { try JSONValue(parsing: "[1,{\"a\":[2]},3]", limits: limits) } throws: {
            ($0 as? JSONError)?.reason == "more than 5 values"
        }
        #expect { try JSONValue(parsing: "[[[1]]]", limits: JSONLimits(depth: 2)) } throws: {
            ($0 as? JSONError)?.reason == "nested deeper than 2 levels"
        }
    }

    @Test func `the length of a number is bounded`() throws {
        #expect(try JSONValue(parsing: String(repeating: "1", count: 4096)).double == .infinity)
        for text in [String(repeating: "1", count: 4097), "0." + String(repeating: "1", count: 5000)] {
            #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        }
    }

    /// The memory of a parsed value after its strings were read, in bytes: a word for each value and name, and strings that are
    /// too long to be stored inline.
    private func bytes(of value: JSONValue) -> Int {
        func heap(_ text: String) -> Int { text.utf8.count > 15 ? text.utf8.count + 32 : 0 }
        return switch value {
        case .string(let text): 8 + heap(text)
        case .array(let elements): elements.reduce(8) { $0 + bytes(of: $1) }
        case .object(let members): members.reduce(8) { $0 + 8 + heap($1.name) + bytes(of: $1.value) }
        default: 8
        }
    }

    @Test(arguments: [
        "[" + String(repeating: "1,", count: 5000) + "1]", "[" + String(repeating: "{\"a\":1},", count: 5000) + "1]",
        "[" + String(repeating: "[],", count: 5000) + "{}]", "\"" + String(repeating: "a,\\n", count: 5000) + "\"",
        "[" + String(repeating: "12345678901234567890,", count: 500) + "\"x\"]", "7",
        "{\"a long name of a member\":{}}",
    ])
    func `the memory of a text is estimated before it is parsed`(text: String) throws {
        let estimate = JSONValue.estimatedBytes(of: Array(text.utf8))
        let taken = bytes(of: try JSONValue(parsing: text))
        #expect(estimate >= taken && estimate <= 8 * taken + 512, "\(estimate), \(taken)")
    }

    private func randomText(_ random: inout SeededGenerator) -> String {
        let characters: [Character] = ["a", "b", "é", "\"", "\\", "\n", "🚀", "/"]
        return String(
            (0..<Int.random(in: 0...(random.oneIn(8) ? 40 : 3), using: &random)).map { _ in
                characters.randomElement(using: &random) ?? "a"
            })
    }

    private func randomValue(depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        // Around the number of members from which an object has a table.
        let count = Int.random(in: 0...(random.oneIn(4) ? 40 : 4), using: &random)
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(random.oneIn(2))
        case 2: return .integer(Int.random(in: -9...1 << 40, using: &random))
        case 3: return .double(Double(Int.random(in: -99...99, using: &random)) / 8)
        case 4, 5: return .string(randomText(&random))
        case 6: return .array((0..<count).map { _ in randomValue(depth: depth - 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<count { object[randomText(&random)] = randomValue(depth: depth - 1, &random) }
            return .object(object)
        }
    }

    /// The same text with other escapes, and with optional white space.
    private func respelled(_ value: JSONValue, _ random: inout SeededGenerator) -> String {
        func space() -> String { random.oneIn(4) ? " \n" : "" }
        func string(_ text: String) -> String {
            "\""
                + text.utf16.map { unit in
                    random.oneIn(3) || unit < 0x20 || unit == 0x22 || unit == 0x5C || unit > 0x7E
                        ? "\\u" + String(UInt32(unit) + 0x10000, radix: 16).suffix(4)
                        : String(UnicodeScalar(UInt8(unit)))
                }.joined() + "\""
        }
        return switch value {
        case .string(let text): string(text)
        case .array(let elements):
            "[" + space() + elements.map { respelled($0, &random) + space() }.joined(separator: ",") + "]"
        case .object(let object):
            "{" + space()
                + object.map { string($0.name) + space() + ":" + space() + respelled($0.value, &random) + space() }
                .joined(separator: ",") + "}"
        default: String(decoding: value.serialized, as: UTF8.self)
        }
    }

    @Test func `a parsed value equals one that the program creates`() throws {
        var random = SeededGenerator(seed: 43)
        for _ in 0..<2000 {
            let made = randomValue(depth: 3, &random)
            let parsed = try JSONValue(parsing: respelled(made, &random))
            #expect(parsed == made && parsed.hashValue == made.hashValue)
            #expect(parsed.serialized == made.serialized)
            #expect(parsed.detached == made && parsed.detached.hashValue == made.hashValue)
            #expect(parsed.array == made.array)
            if case .array(let elements) = parsed, case .array(let others) = made {
                #expect(elements.count == others.count && elements.isEmpty == others.isEmpty)
                for place in 0..<others.count { #expect(parsed[place] == made[place]) }
                #expect(parsed[others.count] == nil)
                #expect(elements.indices.map { elements[$0] } == Array(others))
            }
            if case .object(var object) = parsed, case .object(var other) = made {
                #expect(object.count == other.count && Array(object.names) == Array(other.names))
                for (name, value) in other { #expect(object[name] == value) }
                #expect(object["no such name"] == nil)
                guard let name = Array(other.names).randomElement(using: &random) else { continue }
                (object[name], other[name]) = (nil, nil)
                (object["new"], other["new"]) = (1, 1)
                #expect(object == other && JSONValue.object(object) != parsed)
            }
        }
    }

    @Test func `an array whose elements are created on access equals one that stores them`() {
        let made = JSONArray(count: 3) { .integer($0 * $0) }
        #expect(
            JSONValue.array(made) == [0, 1, 4] && JSONValue.array(made).hashValue == ([0, 1, 4] as JSONValue).hashValue)
        #expect(JSONValue.array(made).serialized == Array("[0,1,4]".utf8))
        #expect(made.count == 3 && JSONArray(count: 0) { _ in .null }.isEmpty)
        #expect(JSONValue.array(made).detached == [0, 1, 4])
    }

    @Test(arguments: [3, 15, 16, 17, 40])
    func `of members with one name the last one counts`(count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count))
        for _ in 0..<200 {
            let members = (0..<count).map { (name: "n\(Int.random(in: 0..<count, using: &random))", value: $0) }
            let text = members.map {
                "\"\($0.name.replacing("n", with: random.oneIn(2) ? "n" : "\\u006e"))\":[\($0.value)]"
            }
            let parsed = try JSONValue(parsing: "{\(text.joined(separator: ","))}")
            let left = members.enumerated().filter { place, member in
                !members[(place + 1)...].contains { $0.name == member.name }
            }.map(\.element)
            let object = try #require(parsed.object)
            #expect(object.count == left.count && Array(object.names) == left.map(\.name))
            for (name, value) in left { #expect(object[name] == [.integer(value)]) }
            #expect(object.map(\.value) == left.map { [.integer($0.value)] })
        }
    }

    @Test(arguments: [1, 2, 15])
    func `long names with escapes are resolved a few times, not for each comparison`(count: Int) throws {
        let escapes = String(repeating: "\\n", count: (3 << 20) / count)
        let text = Array("{\((0..<count).map { "\"\(escapes)\($0)\":1" }.joined(separator: ","))}".utf8)
        let value = Array("[\"\(String(repeating: "\\n", count: 3 << 20))\"]".utf8)
        let clock = ContinuousClock()
        let whole = try clock.measure { _ = try JSONValue(parsing: value)[0] }
        let names = try clock.measure {
            let object = try #require(try JSONValue(parsing: text).object)
            for number in 0..<100 { #expect(object["max_tokens \(number)"] == nil) }
        }
        #expect(names < whole * 10 + .milliseconds(50), "\(names), \(whole)")
    }

    @Test func `long strings of a parsed value can be read after a cancellation`() throws {
        let text = "\"" + String(repeating: "\\n", count: 1 << 20) + String(repeating: "x", count: 1 << 20) + "\""
        let parsed = try JSONValue(parsing: "{\"a\":[\(text)],\(text):1}")
        #expect(parsed["a"]?[0]?.string?.utf8.count == 2 << 20)
        Cancellation.$token.withValue(StoppedWork()) {
            // The result is not used; reading only has to end.
            #expect(parsed["a"]?[0]?.string != nil)
            #expect(parsed["b"] == nil)
        }
    }

    @Test func `parsing and writing stop when they are cancelled`() throws {
        let value = JSONValue.array((0..<20_000).map(JSONValue.integer))
        let text = value.serialized
        let long = JSONValue.string(String(repeating: "x", count: 1 << 20))
        let stopped = StoppedWork()
        Cancellation.$token.withValue(stopped) {
            for text in [text, long.serialized] {
                #expect { try JSONValue(parsing: text) } throws: { ($0 as? JSONError)?.reason == "cancelled" }
            }
            #expect(value.serialized.count < text.count)
            #expect(long.serialized.count < 1 << 17)
            // Small values are not checked.
            #expect((try? JSONValue(parsing: "[1]")) == [1])
        }
    }
}
