import ArgumentParser
import Foundation
import Server

/// What `trinity chat` and `trinity complete` have in common: the model and how it is sampled.
struct ConsoleOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder of a model (default: \(ServerConfiguration.defaultModel)).", valueName: "dir"))
    var model: String?
    @Option(help: ArgumentHelp("Threads that compute (default: the CPUs that this process may use).", valueName: "n"))
    var threads: String?
    @Option(help: ArgumentHelp("Weights in memory: auto or fp8 (default: auto).", valueName: "format"))
    var weights: String?
    @Option(help: ArgumentHelp("Tokens of prompt and reply together (default: what the model takes).", valueName: "n"))
    var maxModelLen: String?
    @Option(help: ArgumentHelp("Tokens of a reply at most.", valueName: "n"))
    var maxTokens: Int?
    @Option(
        help: ArgumentHelp("0 for the most probable token, 2 at most (default: as the model says).", valueName: "t"))
    var temperature: Double?
    @Option(help: ArgumentHelp("Share of probability to sample from (default: as the model says).", valueName: "p"))
    var topP: Double?
    @Option(help: ArgumentHelp("Makes replies repeatable.", valueName: "n"))
    var seed: Int?

    /// The console that talks to the model.
    func console() throws -> Console {
        var flags: [ServerConfiguration.Option: String] = [.maxSequences: "1"]
        for (option, value) in [
            (.model, model), (.threads, threads), (.weights, weights), (.maxModelLen, maxModelLen),
        ] as [(ServerConfiguration.Option, String?)] {
            flags[option] = value
        }
        var parameters = Console.Parameters()
        parameters.maxTokens = maxTokens
        parameters.temperature = temperature
        parameters.topP = topP
        parameters.seed = seed
        do throws(ConfigurationError) {
            return Console(
                try ServerConfiguration(flags: flags, environment: ProcessInfo.processInfo.environment), parameters)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
