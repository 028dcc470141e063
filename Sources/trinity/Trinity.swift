import ArgumentParser
import Server

/// The command line: `trinity serve ...` and the tools beside it.
@main
struct Trinity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trinity",
        abstract: "Serves Arcee's Trinity models on CPUs through an OpenAI-compatible API.",
        version: Application.version,
        subcommands: [
            Serve.self, Config.self, Chat.self, Complete.self, Bench.self, Plan.self, Synth.self, Quantize.self,
            Tokenize.self,
            Render.self,
        ])
}
