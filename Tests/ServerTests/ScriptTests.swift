import ChatTemplates
import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// `trinity tokenize` and `trinity render` with the vectors.
@Suite struct ScriptTests {
    @Test func `every template vector is rendered`() throws {
        let file = try Fixtures.json("text/chat_templates/templates.json")
        let now = try #require(file["now"]?.string)
        var count = 0
        for template in try #require(file["templates"]?.array) {
            let name = try #require(template["template_name"]?.string)
            let path = Fixtures.root.appending(path: "text/chat_templates/\(name).jinja").path
            let script = try RenderScript(path: path, now: now)
            let cases = try #require(template["cases"]?.array)
            let answers = try answers(script, to: cases.map { $0["context"] ?? .null })
            #expect(answers.count == cases.count)
            for (answer, expected) in zip(answers, cases) {
                count += 1
                #expect(answer["text"] == expected["text"])
                #expect(answer["error_type"] == expected["error_type"])
                #expect((answer["error"] == nil) == (expected["error_type"] == nil))
                if expected["error_type"] == "TemplateError" { #expect(answer["error"] == expected["error"]) }
            }
        }
        #expect(count == 234)
    }

    @Test func `a failure has the name of the reference's exception`() throws {
        let file = try Fixtures.json("text/chat_templates/snippets.json")
        let context = try #require(file["context"])
        let failing = try #require(file["cases"]?.array).filter { $0["error_type"] != nil }
        #expect(failing.count > 15)
        let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: url) }
        for snippet in failing {
            try Data((snippet["template"]?.string ?? "").utf8).write(to: url)
            if snippet["error_type"] == "TemplateSyntaxError" {
                #expect(throws: ScriptError.self) { try RenderScript(path: url.path, now: nil) }
            } else {
                let answer = try answers(RenderScript(path: url.path, now: nil), to: [context]).first
                #expect(answer?["error_type"] == snippet["error_type"], "\(snippet["template"] ?? .null)")
            }
        }
    }

    @Test(arguments: [false, true])
    func `every vector of a tokenizer is encoded and decoded`(namesFolder: Bool) throws {
        let folder = Fixtures.root.appending(path: "text/tokenizers/trinity_like")
        let script = try TokenizeScript(
            path: namesFolder ? folder.path : folder.appending(path: "tokenizer.json").path)
        let vectors = try Fixtures.json("text/tokenizers/trinity_like/vectors.json")
        let cases = try #require(vectors["cases"]?.array)
        func lines(_ more: JSONObject) -> [JSONValue] {
            cases.map { test in
                var line: JSONObject = ["text": test["text"] ?? .null]
                for (name, value) in more { line[name] = value }
                return .object(line)
            }
        }
        let whole = try answers(script, to: lines([:]))
        let plain = try answers(script, to: lines(["add_special_tokens": false]))
        let asText = try answers(script, to: lines(["add_special_tokens": false, "special_as_text": true]))
        for (index, test) in cases.enumerated() {
            #expect(whole[index] == ["ids": test["ids"] ?? .null])
            let ids = test["ids_no_special"] ?? test["ids"]
            #expect(plain[index]["ids"] == ids)
            #expect(asText[index]["ids"] == test["ids_special_as_text"] ?? ids)
        }
        let decoded = cases + (vectors["decode_cases"]?.array ?? [])
        let texts = try answers(script, to: decoded.map { ["ids": $0["ids"] ?? .null] })
        let skipped = try answers(script, to: decoded.map { ["ids": $0["ids"] ?? .null, "skip_special_tokens": true] })
        for (index, test) in decoded.enumerated() {
            #expect(texts[index]["text"] == test["decoded"])
            #expect(skipped[index]["text"] == test["decoded_skip"] ?? test["decoded"])
            if let stream = test["stream_skip"], !stream.isNull { #expect(skipped[index]["pieces"] == stream) }
        }
    }

    @Test func `an invalid line gets an error, and the next one is processed`() throws {
        let tokenize = try TokenizeScript(path: Fixtures.chatModel.path)
        let bad = ["", "{", "[1]", "{}", "{\"text\": 1}", "{\"ids\": [-1]}", "{\"text\": \"\", \"x\": 1}", "\u{FF}"]
        let answers = try run(tokenize, Array((bad + ["{\"text\": \"a\"}"]).joined(separator: "\n").utf8))
        #expect(answers.count == bad.count + 1)
        #expect(answers.dropLast().allSatisfy { $0["error"]?.string?.isEmpty == false && $0["ids"] == nil })
        #expect(answers.last?["ids"]?.array?.isEmpty == false)

        let path = Fixtures.chatModel.appending(path: "chat_template.jinja").path
        let rendered = try run(try RenderScript(path: path, now: nil), Array("nonsense\n{\"messages\": 5}\n{}\n".utf8))
        #expect(rendered.map { $0["error_type"] } == ["InvalidLine", "UndefinedError", "UndefinedError"])
    }

    @Test func `files that cannot be loaded are reported`() {
        #expect(throws: ScriptError.self) { try TokenizeScript(path: "/nonexistent") }
        #expect(throws: ScriptError.self) { try RenderScript(path: "/nonexistent", now: nil) }
        let path = Fixtures.chatModel.appending(path: "chat_template.jinja").path
        #expect(throws: ScriptError.self) { try RenderScript(path: path, now: "yesterday") }
    }

    private func answers(_ script: some LineScript, to lines: [JSONValue]) throws -> [JSONValue] {
        try run(script, Array(lines.map(\.serialized).joined(separator: [UInt8(ascii: "\n")])))
    }

    /// The output for `input`, through files as in a shell.
    private func run(_ script: some LineScript, _ input: [UInt8]) throws -> [JSONValue] {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (inputURL, outputURL) = (folder.appending(path: "input"), folder.appending(path: "output"))
        try Data(input).write(to: inputURL)
        try Data().write(to: outputURL)
        try script.run(from: FileHandle(forReadingFrom: inputURL), to: FileHandle(forWritingTo: outputURL))
        let output = [UInt8](try Data(contentsOf: outputURL))
        return try output.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
    }
}
