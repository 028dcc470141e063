import ChatTemplates
import JSON

/// A chat in a terminal: a line is a message, a line that ends with a backslash continues on the next one, and words that begin
/// with a slash are commands.
struct ChatConsole {
    private static let help = """
        /help             shows this list
        /history          shows the conversation
        /reset            starts a new conversation
        /system TEXT      starts a new conversation with this system prompt
        /exit             ends the chat, as Ctrl-D does
        A line that ends with \\ continues on the next line. Ctrl-C stops a reply.

        """

    /// Members of each request in addition to `messages`.
    private let parameters: JSONObject
    private let system: String?
    /// Whether reasoning is dimmed with escape codes.
    private let isTerminal: Bool
    private let readLine: () -> String?
    private let write: (String) -> Void
    /// Generates the reply to a request, part by part.
    private let generate: (JSONValue, (ChatOutputEvent) -> Void) throws -> Void

    /// - Parameters:
    ///   - parameters: members of each request in addition to its messages.
    ///   - readLine: returns the next line; `nil` at the end.
    ///   - generate: generates the reply to the body of a chat request.
    init(
        parameters: JSONObject, system: String?, isTerminal: Bool, readLine: @escaping () -> String?,
        write: @escaping (String) -> Void, generate: @escaping (JSONValue, (ChatOutputEvent) -> Void) throws -> Void
    ) {
        self.parameters = parameters
        self.system = system
        self.isTerminal = isTerminal
        self.readLine = readLine
        self.write = write
        self.generate = generate
    }

    /// Runs until the input ends.
    func run() {
        var messages = Self.beginning(system)
        while let line = nextMessage() {
            let words = line.split(separator: " ", maxSplits: 1)
            switch words.first {
            case nil: continue
            case "/help": write(Self.help)
            case "/exit", "/quit": return
            case "/reset": messages = Self.beginning(system)
            case "/system": messages = Self.beginning(words.count > 1 ? String(words[1]) : nil)
            case "/history":
                for message in messages {
                    write("\(message["role"]?.string ?? ""): \(message["content"]?.string ?? "")\n")
                }
            case let word? where word.hasPrefix("/"): write("Unknown command \(word); /help lists the commands.\n")
            default:
                messages.append(["role": "user", "content": .string(line)])
                if let reply = answer(messages) { messages.append(reply) } else { messages.removeLast() }
            }
        }
        write("\n")
    }

    /// The messages before the user's first one.
    static func beginning(_ system: String?) -> [JSONValue] {
        system.map { [["role": "system", "content": .string($0)]] } ?? []
    }

    private func nextMessage() -> String? {
        if isTerminal { write("> ") }
        var message = ""
        while let line = readLine() {
            guard line.hasSuffix("\\") else { return message + line }
            message += line.dropLast() + "\n"
            if isTerminal { write("| ") }
        }
        return message.isEmpty ? nil : message
    }

    /// Writes the reply and returns the assistant's message for the next turn; `nil` after an error.
    private func answer(_ messages: [JSONValue]) -> JSONValue? {
        var body = parameters
        body["messages"] = .array(messages)
        var output = ParsedOutput()
        var isDimmed = false
        do {
            try generate(.object(body)) { event in
                output.add([event])
                let reasons = if case .reasoning = event { true } else { false }
                if isTerminal, reasons != isDimmed { write(reasons ? "\u{1B}[2m" : "\u{1B}[0m\n\n") }
                isDimmed = reasons
                switch event {
                case .reasoning(let text): if isTerminal { write(text) }
                case .content(let text): write(text)
                case .call, .arguments: break
                }
            }
        } catch {
            write("\(error)\n")
            return nil
        }
        if isTerminal, isDimmed { write("\u{1B}[0m") }
        write("\n")
        var reply: JSONObject = ["role": "assistant", "content": .string(output.content)]
        if !output.reasoning.isEmpty { reply["reasoning"] = .string(output.reasoning) }
        return .object(reply)
    }
}
