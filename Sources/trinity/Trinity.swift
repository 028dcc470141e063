import ArgumentParser
import Foundation
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

    /// Runs the command that the arguments name.
    static func main() async {
        // `exit` would run the end of each library, and OpenBLAS's waits for threads that may never have come to life, as
        // with little address space. What is buffered is written, and nobody is waited for.
        on_exit(
            { status, _ in
                fflush(nil)
                _exit(status)
            }, nil)
        await main(nil)
    }
}
