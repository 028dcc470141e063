import ArgumentParser
import Server

/// `trinity chat`: a conversation in the terminal, without a server.
struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Chat with a model in the terminal.",
        discussion: "Reasoning is dimmed, and left out where the output is no terminal. /help shows what else there is."
    )

    @OptionGroup var options: ConsoleOptions
    @Option(help: ArgumentHelp("Instructions that the conversation begins with.", valueName: "text"))
    var system: String?
    @Option(help: ArgumentHelp("How much to reason: none, minimal, low, medium, high.", valueName: "effort"))
    var reasoningEffort: String?

    func run() throws {
        var console = try options.console()
        console.parameters.reasoningEffort = reasoningEffort
        try console.chat(system: system)
    }
}
