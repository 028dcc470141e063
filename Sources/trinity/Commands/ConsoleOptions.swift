import ArgumentParser
import Foundation
import Server

/// The options of `trinity chat` and `trinity complete`: the model and the sampling parameters.
struct ConsoleOptions: ParsableArguments {
    @OptionGroup var options: OptionArguments<ModelOptions>
    @Option(parsing: .unconditional, help: ArgumentHelp("Maximum number of tokens of a reply.", valueName: "n"))
    var maxTokens: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Sampling temperature, 0 to 2; 0 is greedy (default: from generation_config.json).", valueName: "t"))
    var temperature: Double?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Top-p (nucleus) sampling (default: from generation_config.json).", valueName: "p"))
    var topP: Double?
    @Option(parsing: .unconditional, help: ArgumentHelp("Random seed, which may be negative.", valueName: "n"))
    var seed: Int?

    enum ModelOptions: OptionList {
        static let options: [ServerConfiguration.Option] = [.model, .threads, .quantization, .maxModelLen]
    }

    /// Returns the console for the model.
    func console() throws -> Console {
        var parameters = Console.Parameters()
        parameters.maxTokens = maxTokens
        parameters.temperature = temperature
        parameters.topP = topP
        parameters.seed = seed
        let sequences = ServerConfiguration.Option.maxNumSeqs
        let configuration = try ServerConfiguration(
            checking: options.given + [GivenOption(sequences, as: sequences.flag, "1")],
            environment: ProcessInfo.processInfo.environment)
        return Console(configuration, parameters)
    }
}
