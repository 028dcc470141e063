import Basics
import JSON

/// A document of a JSONL file before tokenization: `{"text": ...}`, or a chat as
/// `{"messages": [...], "tools": [...], "chat_template_kwargs": {...}}`. Other members are ignored.
struct TextDocument: Sendable, Equatable {
    enum Content: Sendable, Equatable {
        case text(String)
        case chat(Chat)
    }

    /// A chat in the form that chat templates take.
    struct Chat: Sendable, Equatable {
        var messages: [Message] = []
        var tools: [JSONValue] = []
        /// Additional variables for the chat template, such as `enable_thinking`.
        var arguments = JSONObject()
    }

    struct Message: Sendable, Equatable {
        var isAssistant: Bool
        /// Whether special tokens in the message are treated as ordinary text.
        var isUntrusted: Bool
        /// The weight of the tokens that the assistant generates.
        var weight: Float
        var json: JSONValue
    }

    /// The reason why a line is not a valid document.
    struct Failure: Error {
        var reason: String
    }

    /// The maximum number of messages in a chat. The time to find the assistant's turns grows with the square of this number.
    private static let mostMessages = 4096

    var content: Content

    /// - Parameter line: UTF-8.
    /// - Throws: `Failure`, with the name of the invalid member.
    init(parsing line: [UInt8]) throws(Failure) {
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: line.withoutByteOrderMark) } catch {
            throw Failure(reason: error.description)
        }
        guard json.object != nil else { throw Failure(reason: "is not a JSON object") }
        guard let messages = json["messages"], !messages.isNull else {
            guard let text = json["text"]?.string else { throw Failure(reason: "has neither text nor messages") }
            guard !text.isEmpty else { throw Failure(reason: "text is empty") }
            content = .text(text)
            return
        }
        guard json["text"]?.isNull ?? true else { throw Failure(reason: "has both text and messages") }
        guard let messages = messages.array, !messages.isEmpty, messages.count <= Self.mostMessages else {
            throw Failure(reason: "messages must be an array of 1...\(Self.mostMessages) messages")
        }
        var chat = Chat()
        for (index, message) in messages.enumerated() {
            chat.messages.append(try Message(message, at: "messages[\(index)]"))
        }
        if let tools = json["tools"], !tools.isNull {
            guard let tools = tools.array, tools.allSatisfy({ $0.object != nil }) else {
                throw Failure(reason: "tools must be an array of objects")
            }
            chat.tools = tools
        }
        if let arguments = json["chat_template_kwargs"], !arguments.isNull {
            guard let arguments = arguments.object else {
                throw Failure(reason: "chat_template_kwargs must be an object")
            }
            for name in ["messages", "tools", "documents", "add_generation_prompt"] where arguments[name] != nil {
                throw Failure(reason: "chat_template_kwargs.\(name) is not allowed")
            }
            chat.arguments = arguments
        }
        content = .chat(chat)
    }
}

extension TextDocument.Message {
    typealias Failure = TextDocument.Failure

    /// Creates a message with the same members, in the same order, as the server passes to chat templates.
    fileprivate init(_ json: JSONValue, at path: String) throws(Failure) {
        guard json.object != nil else { throw Failure(reason: "\(path) must be an object") }
        let roles = ["system", "developer", "user", "assistant", "tool"]
        guard let role = json["role"]?.string, roles.contains(role) else {
            throw Failure(reason: "\(path).role must be one of \(roles.joined(separator: ", "))")
        }
        isAssistant = role == "assistant"
        isUntrusted = role == "user" || role == "tool"
        weight = 1
        func text(_ name: String) throws(Failure) -> String? {
            guard let value = json[name], !value.isNull else { return nil }
            guard let text = value.string else { throw Failure(reason: "\(path).\(name) must be a string") }
            return text
        }
        guard let content = try text("content") ?? (isAssistant || role == "tool" ? "" : nil) else {
            throw Failure(reason: "\(path).content is missing")
        }
        var message: JSONObject = [
            "role": .string(role == "developer" ? "system" : role), "content": .string(content),
        ]
        if let name = try text("name") { message["name"] = .string(name) }
        if isAssistant {
            let (content, reasoning) = (try text("reasoning_content"), try text("reasoning"))
            if let reasoning = content ?? reasoning {
                message["reasoning"] = .string(reasoning)
                message["reasoning_content"] = .string(reasoning)
            }
            if let calls = json["tool_calls"], !calls.isNull {
                message["tool_calls"] = .array(try Self.calls(calls, at: "\(path).tool_calls"))
            }
            if let value = json["weight"], !value.isNull {
                guard let number = value.double, (0...1).contains(number) else {
                    throw Failure(reason: "\(path).weight must be a number in 0...1")
                }
                weight = Float(number)
            }
        }
        if let id = try text("tool_call_id") { message["tool_call_id"] = .string(id) }
        self.json = .object(message)
    }

    private static func calls(_ json: JSONValue, at path: String) throws(Failure) -> [JSONValue] {
        guard let calls = json.array else { throw Failure(reason: "\(path) must be an array") }
        var result: [JSONValue] = []
        for (index, call) in calls.enumerated() {
            let function = call["function"] ?? call
            guard let name = function["name"]?.string else {
                throw Failure(reason: "\(path)[\(index)].function.name must be a string")
            }
            var arguments = function["arguments"] ?? [:]
            if let text = arguments.string {
                // Many templates can only print a mapping.
                if text.isEmpty { arguments = [:] }
                if let parsed = try? JSONValue(parsing: text), parsed.object != nil { arguments = parsed }
            } else if arguments.object == nil {
                throw Failure(reason: "\(path)[\(index)].function.arguments must be an object or a string")
            }
            result.append([
                "id": .string(call["id"]?.string ?? "call_\(index)"), "type": "function",
                "function": ["name": .string(name), "arguments": arguments],
            ])
        }
        return result
    }
}
