import ChatTemplates
import Foundation
import JSON
import TestSupport
import Testing

@Suite struct TemplateTests {
    /// A case that must render to a text, or fail; the message of a failure must match only for `raise_exception`.
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let source: String
        let context: JSONObject
        let expected: JSONValue

        var testDescription: String { name }

        func check(now: Date) {
            do throws(TemplateError) {
                let text = try ChatTemplate(source: source).render(context, now: now)
                #expect(text == expected["text"]?.string, "\(name)")
            } catch {
                let kind = expected["error_type"]?.string
                #expect(kind != nil, "\(name): \(error)")
                if kind == "TemplateError" {
                    #expect(error == .raised(message: expected["error"]?.string ?? ""))
                } else if case .raised = error {
                    Issue.record("\(name): raised \(error)")
                }
            }
        }
    }

    /// 2024-07-26T15:04:05 where the test runs: the clock of the vectors.
    static let now = Calendar.current.date(
        from: DateComponents(year: 2024, month: 7, day: 26, hour: 15, minute: 4, second: 5))

    static let snippets: [Vector] = {
        guard let file = try? Fixtures.json("text/chat_templates/snippets.json") else { return [] }
        return (file["cases"]?.array ?? []).map { snippet in
            let source = snippet["template"]?.string ?? ""
            return Vector(name: source, source: source, context: file["context"]?.object ?? [:], expected: snippet)
        }
    }()

    static let templates: [(name: String, vectors: [Vector])] = {
        guard let file = try? Fixtures.json("text/chat_templates/templates.json") else { return [] }
        return (file["templates"]?.array ?? []).map { template in
            let name = template["template_name"]?.string ?? ""
            let source = template["template"]?.string ?? ""
            let vectors = (template["cases"]?.array ?? []).enumerated().map { index, vector in
                Vector(
                    name: "\(name) \(index)", source: source, context: vector["context"]?.object ?? [:],
                    expected: vector)
            }
            return (name, vectors)
        }
    }()

    /// Templates whose vectors must all pass.
    static let passing: [String] = [
        "brackets", "fullwidth", "headers", "inline_one", "lastthink", "trinity_hermes", "turns", "ws_blocks",
        "xmlcalls",
    ]

    @Test func `the vectors exist`() {
        #expect(Self.snippets.count == 306)
        #expect(Self.templates.map(\.name).sorted() == Self.passing)
        #expect(Self.templates.map(\.vectors.count).reduce(0, +) == 234)
    }

    @Test(arguments: snippets)
    func `a snippet renders like the reference`(vector: Vector) throws {
        vector.check(now: try #require(Self.now))
    }

    @Test(arguments: templates.filter { passing.contains($0.name) }.flatMap(\.vectors))
    func `a template renders like the reference`(vector: Vector) throws {
        vector.check(now: try #require(Self.now))
    }

    @Test func `the chat model's template renders its reference texts`() throws {
        let source = try String(
            contentsOf: Fixtures.chatModel.appending(path: "chat_template.jinja"), encoding: .utf8)
        let template = try ChatTemplate(source: source)
        let cases = try #require(try Fixtures.json("model/trinity-tiny-goldens.json")["cases"]?.array)
        let chats = cases.filter { $0["kind"] == "chat" }
        #expect(chats.count >= 10)
        for chat in chats {
            var context = chat["chat_template_kwargs"]?.object ?? [:]
            context["messages"] = chat["messages"]
            context["tools"] = chat["tools"]
            context["add_generation_prompt"] = true
            context["bos_token"] = "<|begin_of_text|>"
            #expect(try template.render(context) == chat["rendered"]?.string)
        }
    }
}
