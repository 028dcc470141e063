import ArgumentParser

/// The command line: `trinity serve ...`.
@main
struct Trinity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trinity",
        abstract: "Serves Arcee's Trinity models on CPUs through an OpenAI-compatible API.",
        subcommands: [Serve.self, Tokenize.self, Render.self])
}
