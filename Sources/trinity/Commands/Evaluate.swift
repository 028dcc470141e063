import ArgumentParser
import Basics
import Engine
import Foundation
import Hub
import ModelTools
import Server

/// `trinity evaluate`: measures the loss from quantization.
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a model with a reference model on a text: perplexity and KL divergence.",
        discussion: """
            The text is split into windows. Both models predict each token of a window except the first. They are in memory at \
            the same time. --threads, --quantization, --kv-cache-dtype and --compute work as in serve; the weights of the \
            reference keep their format.
            """)

    @Argument(help: ArgumentHelp("Folder of the model, or its name on the Hugging Face Hub.", valueName: "model"))
    var model: String
    @Option(help: ArgumentHelp("Model to compare with, such as the one before quantization.", valueName: "model"))
    var reference: String
    @Option(
        help: ArgumentHelp(
            "Text file in UTF-8, which is encoded with the tokenizer of the reference.", valueName: "file"))
    var text: String?
    @Option(help: ArgumentHelp("File with a JSON array of token ids.", valueName: "file"))
    var tokens: String?
    @Option(help: ArgumentHelp("Number of tokens in a window.", valueName: "n"))
    var context = 512
    @Option(help: ArgumentHelp("Maximum number of windows (default: the whole text).", valueName: "n"))
    var windows: Int?
    @Flag(help: "Print one JSON object instead of text.")
    var json = false
    @OptionGroup var options: OptionArguments<EngineOptionList>

    enum EngineOptionList: OptionList {
        static let options: [ServerConfiguration.Option] = [.threads, .quantization, .kvCacheDtype, .compute]
    }

    func validate() throws {
        _ = try engineOptions(model)
        if (text == nil) == (tokens == nil) { throw ValidationError("give either --text or --tokens") }
        if !ModelEvaluation.contexts.contains(context) {
            throw ValidationError(
                "--context must be \(ModelEvaluation.contexts.lowerBound) to \(ModelEvaluation.contexts.upperBound)")
        }
        if windows ?? 1 < 1 { throw ValidationError("--windows must be at least 1") }
    }

    func run() throws {
        var own = try engineOptions(Hub.path(of: model))
        var other = try engineOptions(Hub.path(of: reference))
        _ = other.limitThreads()
        if let warning = own.limitThreads() { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
        other.quantization = .auto
        let evaluation = ModelEvaluation(options: own, reference: other, context: context)
        let ids = try text.map(evaluation.tokens(ofText:)) ?? tokens.map(evaluation.tokens(ofIDs:)) ?? []
        let meter = ProgressMeter("computing windows")
        let report = try evaluation.run(tokens: ids, windows: windows ?? .max) { meter.update($0) }
        meter.finish()
        if let warning = report.warning { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
        if json {
            print(report.json)
        } else {
            for line in report.lines { print(line) }
        }
    }

    /// Returns the options of a model, without the environment, so that only the command line determines what is compared.
    private func engineOptions(_ folder: String) throws -> EngineOptions {
        let option = ServerConfiguration.Option.model
        return try ServerConfiguration(
            checking: options.given + [GivenOption(option, as: option.flag, folder)], environment: [:]
        ).engine
    }
}
