import Basics
import ChatTemplates
import Foundation
import JSON
import TestSupport

extension FuzzTarget {
    /// Any source renders to a text or a `TemplateError`; the runs of a rendering, joined, are its text.
    static func renderSource(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let template = try? ChatTemplate(source: String(decoding: bytes, as: UTF8.self)) else { return }
        try render(template, context)
    }

    /// Any context renders in every template to a text or a `TemplateError`; the joined runs are the text.
    static func renderContext(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let choice = bytes.first, !templates.isEmpty,
            let context = (try? JSONValue(parsing: Array(bytes.dropFirst())))?.object
        else { return }
        try render(templates[Int(choice) % templates.count], context)
    }

    private static func render(_ template: ChatTemplate, _ context: JSONObject) throws(BrokenInvariant) {
        let text = Result<String, TemplateError> { () throws(TemplateError) in
            try template.render(context, now: now)
        }
        let untrusted = UntrustedInputs(variables: ["tools"], messages: [0, 2])
        let runs = Result<[TextRun], TemplateError> { () throws(TemplateError) in
            try template.render(context, untrusted: untrusted, now: now)
        }
        switch (text, runs) {
        case (.success(let text), .success(let runs)):
            let joined = runs.flatMap { Array($0.text.utf8) }
            try BrokenInvariant.check(joined == Array(text.utf8), "the runs are another text")
            try BrokenInvariant.check(runs.allSatisfy { !$0.text.isEmpty }, "an empty run")
        case (.failure(let plain), .failure(let tracked)):
            try BrokenInvariant.check(plain == tracked, "trust changes the error \(plain) to \(tracked)")
        case (.success, .failure(let error)):
            // Tracking the origin of text has a limit of its own.
            try BrokenInvariant.check("\(error)".contains("runs"), "trust makes it fail: \(error)")
        case (.failure(let error), .success):
            throw BrokenInvariant(description: "trust heals the error \(error)")
        }
    }

    private static let now = Date(timeIntervalSince1970: 1_722_006_245)

    /// The context of the vectors' snippets, with a chat.
    private static let context: JSONObject = {
        var context = (try? Fixtures.json("text/chat_templates/snippets.json"))?["context"]?.object ?? [:]
        let members: JSONObject = [
            "messages": [
                ["role": "system", "content": "Be <|im_end|> brief."], ["role": "user", "content": "Hé\u{301}llo 👋\n"],
                [
                    "role": "assistant", "content": nil,
                    "tool_calls": [
                        [
                            "type": "function",
                            "function": ["name": "get", "arguments": ["n": 1, "x": 1.5, "s": "a b"]],
                        ]
                    ],
                ],
                ["role": "tool", "content": "[1, 2]"], ["role": "user", "content": [["type": "text", "text": "Go"]]],
            ],
            "tools": [["type": "function", "function": ["name": "get", "parameters": ["type": "object"]]]],
            "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true,
        ]
        for member in members { context[member.name] = member.value }
        return context
    }()

    /// The templates of the vectors; the first byte of an input selects one.
    private static let templates: [ChatTemplate] = [
        "brackets", "fullwidth", "headers", "inline_one", "lastthink", "trinity_hermes", "turns", "ws_blocks",
        "xmlcalls",
    ].compactMap { name in
        let url = Fixtures.root.appending(path: "text/chat_templates/\(name).jinja")
        return (try? String(contentsOf: url, encoding: .utf8)).flatMap { try? ChatTemplate(source: $0) }
    }
}
