import JSON
import Testing

@testable import Grammars

/// Tool calls in the XML format, whose strings have no quotes.
@Suite struct CallGrammarTests {
    private func source(_ parameters: String, strict: Bool = true) throws -> GrammarSource {
        let function: JSONValue = [
            "name": "pay", "strict": .bool(strict), "parameters": try JSONValue(parsing: parameters),
        ]
        return .calls([["type": "function", "function": function]], .xml, isSingle: true, isOpen: false)
    }

    private func call(_ arguments: (String, String)...) -> String {
        let parameters = arguments.map { "<parameter=\($0.0)>\n\($0.1)\n</parameter>\n" }.joined()
        return "<tool_call>\n<function=pay>\n\(parameters)</function>\n</tool_call>"
    }

    @Test func `strings and references of a strict tool are enforced`() throws {
        let reader = try GrammarReader(
            source(
                #"""
                {"type":"object","additionalProperties":false,"required":["iban","to"],
                 "properties":{"iban":{"type":"string","pattern":"^[A-Z]{2}[0-9]{20}$"},"to":{"$ref":"#/$defs/Address"}},
                 "$defs":{"Address":{"type":"object","properties":{"city":{"type":"string"}}}}}
                """#))
        let (iban, address) = ("DE12345678901234567890", #"{"city": "Rome"}"#)
        #expect(try reader.reads(call(("iban", iban), ("to", address))))
        #expect(try !reader.reads(call(("iban", "x"), ("to", address))))
        #expect(try !reader.reads(call(("iban", iban), ("to", #"{"city": 5}"#))))
        #expect(try !reader.reads(call(("iban", iban))))
    }

    @Test(
        arguments: [
            (#"{"type":"string"}"#, ["", "a\nb", "é"], ["<"]),
            (#"{"type":"string","minLength":2,"maxLength":3}"#, ["ab", "é\"x"], ["a", "abcd", "a<b"]),
            (#"{"type":"string","const":"a<b"}"#, ["a<b"], ["a", "\"a<b\""]),
            (#"{"type":"string","enum":["ab","c"],"maxLength":1}"#, ["c"], ["ab"]),
            (#"{"enum":["red","blue"]}"#, ["red", "blue"], ["green", "\"red\""]),
            (#"{"type":"string","format":"date"}"#, ["2024-02-28"], ["2024-02-30", "\"2024-02-28\""]),
            (#"{"type":"string","pattern":"b"}"#, ["b", "abc"], ["a", "b<"]),
            (#"{"allOf":[{"minLength":1}],"type":"string"}"#, ["x"], [""]),
            (#"{"type":["string","null"]}"#, ["null", "\"x\""], ["x"]),
        ] as [(String, [String], [String])])
    func `a property is written as its schema allows`(schema: String, accepted: [String], rejected: [String]) throws {
        let reader = try GrammarReader(source(#"{"properties":{"p":\#(schema)},"required":["p"]}"#))
        for text in accepted { #expect(try reader.reads(call(("p", text))), "\(text)") }
        for text in rejected { #expect(try !reader.reads(call(("p", text))), "\(text)") }
    }

    @Test(
        arguments: [
            (#"{"properties":{"p":{"type":"string","pattern":"^a+$","maxLength":3}}}"#, "properties.p"),
            (#"{"properties":{"p":{"type":"string","not":{"const":"a"}}}}"#, "properties.p"),
            (#"{"properties":{"p":{"type":"string","pattern":"(?=a)b"}}}"#, "properties.p.pattern"),
            (##"{"properties":{"p":{"$ref":"#/$defs/x"}}}"##, "properties.p.$ref"),
            (#"{"properties":{"p":{}},"anyOf":[{"required":["p"]}]}"#, "anyOf"),
            (#"{"minProperties":1}"#, "minProperties"),
            (#"{"properties":{},"required":["p"]}"#, "required"),
        ])
    func `what cannot be enforced is refused for a strict tool and ignored for another`(
        parameters: String, path: String
    ) throws {
        let error = #expect(throws: GrammarError.self) { try source(parameters).grammar() }
        #expect(error?.path == "[0].function.parameters.\(path)")
        #expect(throws: Never.self) { try source(parameters, strict: false).grammar() }
    }
}
