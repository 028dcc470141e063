import ChatTemplates
import JSON

// System messages after the beginning of a conversation, as Claude Code sends them. Many chat templates refuse them, or leave
// them out.

extension TextPipeline {
    /// Whether a template shows system messages after the beginning of a conversation, tested with two small conversations. True
    /// for a template that fails even without such messages, because the test then shows nothing.
    static func readsLateSystemMessages(_ template: ChatTemplate, specialTokens: JSONObject) -> Bool {
        func message(_ role: String, _ content: String) -> JSONValue {
            ["role": .string(role), "content": .string(content)]
        }
        func prompt(_ messages: [JSONValue]) -> String? {
            var variables = specialTokens
            variables["messages"] = .array(messages)
            (variables["tools"], variables["documents"]) = (JSONValue.null, JSONValue.null)
            variables["add_generation_prompt"] = true
            return try? template.render(variables)
        }
        let (user, assistant) = (message("user", "one"), message("assistant", "two"))
        let system = message("system", "a late system message")
        guard prompt([user]) != nil, prompt([user, assistant, user]) != nil else { return true }
        return [[user, system], [user, assistant, system, user]].allSatisfy { messages in
            prompt(messages)?.contains("a late system message") ?? false
        }
    }

    /// Returns the request in a form that the chat template can show. If the template does not take late system messages, they
    /// become a part of the user's turn, in a tag, as Claude Code itself writes them for such models.
    ///
    /// - Throws: `APIError` if the server is strict.
    func adapted(_ request: ChatCompletionRequest, for model: ServedModel) throws(APIError) -> ChatCompletionRequest {
        guard !readsLateSystemMessages, request.messages.dropFirst().contains(where: \.isSystem) else {
            return request
        }
        guard !model.refusesUnknownParameters else {
            throw .invalid(
                param: request.promptParameter,
                message: "This model's chat template takes a system message only at the beginning of the conversation.")
        }
        var adapted = request
        adapted.messages = Self.movingLateSystemMessages(request.messages)
        adapted.ignored.insert("\(request.promptParameter).role")
        return adapted
    }

    /// Moves late system messages. Those directly after a system message at the beginning are joined to it. Others are joined to
    /// the user's message before them, or else to the one after them. If there is neither, they become a user's message.
    private static func movingLateSystemMessages(_ messages: [ChatMessage]) -> [ChatMessage] {
        var moved: [ChatMessage] = []
        /// The index of the last message, if it consists of reminders only.
        var reminders: Int?
        for message in messages {
            let last = moved.indices.last
            if message.isSystem, let last {
                if last == 0, moved[last].isSystem {
                    moved[last].content += "\n" + message.content
                } else if moved[last].role == .user {
                    moved[last].content += "\n" + message.taggedContent
                } else {
                    moved.append(ChatMessage(.user, message.taggedContent))
                    reminders = moved.indices.last
                }
                continue
            }
            var message = message
            if message.role == .user, let reminders {
                message.content = moved[reminders].content + "\n" + message.content
                moved.removeLast()
            }
            moved.append(message)
            reminders = nil
        }
        return moved
    }
}

extension ChatMessage {
    fileprivate var isSystem: Bool { role == .system || role == .developer }

    fileprivate var taggedContent: String { "<system-reminder>\n\(content)\n</system-reminder>" }
}
