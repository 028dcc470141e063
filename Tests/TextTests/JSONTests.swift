import Foundation
import TestSupport
import Testing
import Text

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
            ("{\"a\":1,\"b\":2,\"a\":3}", ["a": 3, "b": 2]),
        ] as [(String, JSONValue)])
    func `a text has its value`(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test(
        arguments: [
            ("", 0), ("[1,]", 3), ("{\"a\"}", 4), ("01", 1), ("1.", 2), ("1e", 2), ("1e999", 0), ("tru", 0), ("\"a", 0),
            ("\"\\ud83d\"", 7), ("\"\\x\"", 2), ("[1] 2", 4), ("{a:1}", 1), ("\"\u{1}\"", 1), ("NaN", 0), ("-", 1),
        ] as [(String, Int)])
    func `a broken text is refused at its byte`(text: String, offset: Int) {
        #expect { try JSONValue(parsing: text) } throws: { ($0 as? JSONError)?.offset == offset }
    }

    @Test func `invalid UTF-8 is refused`() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `nesting is bounded`() throws {
        let deepest = JSONValue.maximumDepth
        _ = try JSONValue(parsing: String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
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

    @Test func `strings end and are escaped where they should at every offset`() throws {
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

    @Test func `a member that comes twice is refused where that is asked for`() throws {
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

    @Test func `a number has a longest length`() throws {
        #expect(try JSONValue(parsing: String(repeating: "1", count: 4096)).double == .infinity)
        for text in [String(repeating: "1", count: 4097), "0." + String(repeating: "1", count: 5000)] {
            #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        }
    }

    /// The bytes of a value: of arrays as if they had no spare room, of strings what is not inside the value.
    private func bytes(of value: JSONValue) -> Int {
        func heap(_ text: String) -> Int { text.utf8.count > 15 ? text.utf8.count + 32 : 0 }
        return switch value {
        case .string(let text), .bigInteger(let text): heap(text)
        case .array(let elements):
            elements.reduce(32) { $0 + MemoryLayout<JSONValue>.stride + bytes(of: $1) }
        case .object(let members):
            members.reduce(32) {
                $0 + 16 + MemoryLayout<JSONValue>.stride + heap($1.name) + bytes(of: $1.value)
            }
        default: 0
        }
    }

    @Test(arguments: [
        "[" + String(repeating: "1,", count: 5000) + "1]", "[" + String(repeating: "{\"a\":1},", count: 5000) + "1]",
        "[" + String(repeating: "[],", count: 5000) + "{}]", "\"" + String(repeating: "a,\\n", count: 5000) + "\"",
        "[" + String(repeating: "12345678901234567890,", count: 500) + "\"x\"]", "7",
        "{\"a long name of a member\":{}}",
    ])
    func `what a text takes is known before it is parsed`(text: String) throws {
        let estimate = JSONValue.estimatedBytes(of: Array(text.utf8))
        let taken = bytes(of: try JSONValue(parsing: text))
        #expect(estimate >= taken && estimate <= 8 * taken + 512, "\(estimate), \(taken)")
    }

    @Test func `parsing and writing stop when they are told to`() throws {
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
            // What is small is not asked about.
            #expect((try? JSONValue(parsing: "[1]")) == [1])
        }
    }
}

/// The token of work that nobody waits for.
struct StoppedWork: CancellationToken {
    func shouldStop() -> Bool { true }
}
