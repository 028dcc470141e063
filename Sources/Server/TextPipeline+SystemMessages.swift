import ChatTemplates
import JSON

// System messages behind the beginning of a conversation, as Claude Code sends them: many chat templates refuse them, or leave
// them out.

extension TextPipeline {
    /// Whether a template shows system messages behind the beginning of a conversation, tried on two small ones. One that shows no
    /// conversation at all says nothing about that.
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

    /// The request as the chat template can show it: where the template does not take late system messages, they are told to the
    /// model as a part of the user's turn, in a tag, which is how Claude Code itself writes them for such models.
    ///
    /// - Throws: `APIError` where the server is strict.
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

    /// Those right behind the first message, a system message, join it. Others join the user's message before them, or else the one
    /// behind them; where there is neither, they become one.
    private static func movingLateSystemMessages(_ messages: [ChatMessage]) -> [ChatMessage] {
        var moved: [ChatMessage] = []
        /// The message that is reminders only, if it is the last.
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
