import Engine
import JSON

/// A piece of a chat's reply that is all of one kind.
struct ReplyItem: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case reasoning
        case text
        /// A call of the tool `name`; the item's text is its arguments.
        case call(name: String)
    }

    var kind: Kind
    var text = ""
}

/// What stays the same in everything that is said of one reply.
struct ReplyHead: Sendable, Hashable {
    /// Of the request; ids of the reply and its items are made of it.
    var requestID: String
    /// Unix time in seconds.
    var created: Int
    var model: String
}

/// How another API than OpenAI's chat completions writes down the reply to a chat: as a list of items, whole or as events
/// that open, extend and close them.
///
/// `items` are those so far; the last one is what an event is about.
protocol ResponseFormatter: Sendable {
    /// Bytes of memory that it keeps of the request, about.
    var bytes: Int { get }
    /// The whole reply.
    func body(of items: [ReplyItem], _ head: ReplyHead, finish: FinishReason, usage: Usage) -> JSONValue
    mutating func begin(_ head: ReplyHead, usage: Usage, to output: inout [UInt8])
    mutating func open(_ items: [ReplyItem], _ head: ReplyHead, to output: inout [UInt8])
    mutating func append(_ text: String, to items: [ReplyItem], _ head: ReplyHead, to output: inout [UInt8])
    mutating func close(_ items: [ReplyItem], _ head: ReplyHead, to output: inout [UInt8])
    mutating func end(
        _ items: [ReplyItem], _ head: ReplyHead, finish: FinishReason, usage: Usage, to output: inout [UInt8])
    /// The events that end a stream that has begun and cannot go on.
    mutating func fail(_ error: APIError, _ items: [ReplyItem], _ head: ReplyHead, to output: inout [UInt8])
}

/// The reply to a chat in the form of another API, and how far its stream is.
struct ItemizedReply: Sendable {
    private let head: ReplyHead
    private var formatter: any ResponseFormatter
    /// A whole reply needs no events.
    private let isStreamed: Bool
    private var items: [ReplyItem] = []
    private var hasBegun = false
    private var finish: FinishReason?

    init(_ formatter: any ResponseFormatter, head: ReplyHead, isStreamed: Bool) {
        self.formatter = formatter
        self.isStreamed = isStreamed
        self.head = head
    }

    /// The whole reply, once it is finished.
    func body(usage: Usage) -> JSONValue {
        formatter.body(of: items, head, finish: finish ?? .abort, usage: usage)
    }

    /// Takes what came next, and appends the events that a stream sends for it.
    mutating func receive(_ parts: [ReplyParts], finish: FinishReason?, usage: Usage, to output: inout [UInt8]) {
        if isStreamed, !hasBegun {
            hasBegun = true
            formatter.begin(head, usage: usage, to: &output)
        }
        for part in parts {
            if !part.reasoning.isEmpty { add(part.reasoning, .reasoning, to: &output) }
            if !part.content.isEmpty { add(part.content, .text, to: &output) }
            for call in part.calls {
                if let name = call.name { open(.call(name: name), to: &output) }
                if !call.arguments.isEmpty { extend(call.arguments, to: &output) }
            }
        }
        guard let finish else { return }
        self.finish = finish
        guard isStreamed else { return }
        if !items.isEmpty { formatter.close(items, head, to: &output) }
        formatter.end(items, head, finish: finish, usage: usage, to: &output)
    }

    mutating func fail(_ error: APIError) -> [UInt8] {
        var output: [UInt8] = []
        formatter.fail(error, items, head, to: &output)
        return output
    }

    private mutating func add(_ text: String, _ kind: ReplyItem.Kind, to output: inout [UInt8]) {
        if items.last?.kind != kind { open(kind, to: &output) }
        extend(text, to: &output)
    }

    private mutating func open(_ kind: ReplyItem.Kind, to output: inout [UInt8]) {
        if isStreamed, !items.isEmpty { formatter.close(items, head, to: &output) }
        items.append(ReplyItem(kind: kind))
        if isStreamed { formatter.open(items, head, to: &output) }
    }

    private mutating func extend(_ text: String, to output: inout [UInt8]) {
        items[items.count - 1].text += text
        if isStreamed { formatter.append(text, to: items, head, to: &output) }
    }
}
