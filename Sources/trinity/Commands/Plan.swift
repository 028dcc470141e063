import ArgumentParser
import Engine
import ModelTools

/// `trinity plan`: computes the memory of a model.
struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute the memory that a model needs, without its weights.")

    @Option(
        help: ArgumentHelp(
            "\(ModelShape.names.joined(separator: ", ")), or the path of a config.json or of a GGUF file.",
            valueName: "shape"))
    var shape: String
    @Option(help: ArgumentHelp("Context length of each sequence.", valueName: "n"))
    var context = 8192
    @Option(help: ArgumentHelp("Sequences that run at the same time.", valueName: "n"))
    var sequences = 1
    @Option(help: "Format of the linear layers in memory (default: as stored in a quantized model, otherwise fp8).")
    var weights: DeploymentPlan.Weights?
    @Option(help: "Data type of the KV cache.")
    var kvCacheDtype = KVDataType.bf16
    @Option(help: ArgumentHelp("Hosts among which the layers are divided; prints a row for each.", valueName: "n"))
    var hosts = 1

    func run() throws {
        let plan = try DeploymentPlan(
            shape: ModelShape(shape), context: context, sequences: sequences, weights: weights,
            cacheType: kvCacheDtype)
        for line in plan.lines { print(line) }
        guard hosts != 1 else { return }
        for line in try [""] + plan.lines(hosts: hosts) { print(line) }
    }
}

extension DeploymentPlan.Weights: ExpressibleByArgument {}
extension KVDataType: ExpressibleByArgument {}
