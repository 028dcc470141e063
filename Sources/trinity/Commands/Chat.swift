import ArgumentParser
import Server

/// `trinity chat`: chats in the terminal, without a server.
struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Chat with a model in the terminal.",
        discussion: """
            On a terminal, reasoning is dimmed. If the output is not a terminal, reasoning is omitted. Type /help for the \
            commands.
            """
    )

    @OptionGroup var options: ConsoleOptions
    @Option(help: ArgumentHelp("System prompt.", valueName: "text"))
    var system: String?
    @Option(help: ArgumentHelp("Reasoning effort: none, minimal, low, medium or high.", valueName: "effort"))
    var reasoningEffort: String?

    func run() throws {
        var console = try options.console()
        console.parameters.reasoningEffort = reasoningEffort
        try console.chat(system: system)
    }
}
