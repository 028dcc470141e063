import ChatTemplates

/// What the text of one choice of a chat has come to: its reasoning, its content and its calls.
struct ReplyParts: Sendable, Hashable {
    var reasoning = ""
    var content = ""
    var calls: [Call] = []

    /// A call of a tool.
    struct Call: Sendable, Hashable {
        var index: Int
        /// `nil` in a part of a stream that only has more arguments.
        var name: String?
        var arguments = ""
    }

    var isEmpty: Bool { reasoning.isEmpty && content.isEmpty && calls.isEmpty }

    /// Appends what came next.
    mutating func add(_ event: ChatOutputEvent) {
        switch event {
        case .reasoning(let text): reasoning += text
        case .content(let text): content += text
        case .call(let index, let name): calls.append(Call(index: index, name: name))
        case .arguments(let index, let text):
            if calls.last?.index != index { calls.append(Call(index: index)) }
            calls[calls.count - 1].arguments += text
        }
    }
}

extension [ChatOutputEvent] {
    /// The parts that a stream sends one by one, each of one kind.
    var streamed: [ReplyParts] {
        var parts: [ReplyParts] = []
        for event in self {
            var part = ReplyParts()
            part.add(event)
            // Arguments that come with the name go with it.
            if case .arguments = event, let last = parts.last, !last.calls.isEmpty {
                parts[parts.count - 1].add(event)
            } else {
                parts.append(part)
            }
        }
        return parts
    }
}
