import ArgumentParser
import Engine
import ModelTools
import Training

/// `trinity plan`: computes the memory that a model needs, or the cost of training it.
struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute the memory that a model needs, from its shape.",
        discussion: """
            With --train, computes what training needs: the memory of weights, gradients and optimizer state in --precision; the \
            memory of the activations of one row by its length, up to --context; the operations per token; and, with --tokens, \
            the time.
            """)

    @Option(
        help: ArgumentHelp(
            "\(ModelShape.names.joined(separator: ", ")), or the path of a config.json or of a GGUF file.",
            valueName: "shape"))
    var shape: String
    @Option(help: ArgumentHelp("Context length of each sequence.", valueName: "n"))
    var context = 8192
    @Option(help: ArgumentHelp("Number of sequences that run at the same time (default: 1).", valueName: "n"))
    var sequences: Int?
    @Option(
        help: "Format of the linear layers in memory (default: the stored format of a quantized model, otherwise fp8).")
    var weights: DeploymentPlan.Weights?
    @Option(help: "Data type of the KV cache (default: bf16).")
    var kvCacheDtype: KVDataType?
    @Option(
        help: ArgumentHelp(
            "Number of hosts among which the layers are divided; prints a row for each host.", valueName: "n"))
    var hosts: Int?
    @Option(help: ArgumentHelp("With --hosts, the memory of each host in GiB.", valueName: "gib"))
    var memory: Int?
    @Option(
        help: ArgumentHelp(
            "With --hosts, the memory read bandwidth of each host in GB/s; prints decode rates.", valueName: "rate"))
    var bandwidth: Double?

    @Flag(help: "Compute what training needs.")
    var train = false
    @Option(help: ArgumentHelp("With --train, the number of tokens to train on.", valueName: "n"))
    var tokens: Int?
    @Option(help: ArgumentHelp("With --train, the number of tokens per step (default: 16384).", valueName: "n"))
    var batch: Int?
    @Option(help: "With --train, the precision of matrix products (default: bf16).")
    var precision: Precision?
    @Option(
        help: ArgumentHelp(
            "With --train, the rate of the steps in GFLOP/s (default: estimated by a short measurement).",
            valueName: "rate"))
    var flops: Double?

    func validate() throws {
        if let flops, !TrainingEstimate.rates.contains(flops) {
            throw ValidationError("--flops must be a number from 0.001 to 1e12")
        }
        if let tokens, !(1...1 << 50).contains(tokens) { throw ValidationError("--tokens must be from 1 to 2^50") }
        if let batch, !(1...1 << 40).contains(batch) { throw ValidationError("--batch must be from 1 to 2^40") }
        let training = [
            ("--tokens", tokens != nil), ("--batch", batch != nil), ("--precision", precision != nil),
            ("--flops", flops != nil),
        ]
        let serving = [
            ("--sequences", sequences != nil), ("--weights", weights != nil), ("--kv-cache-dtype", kvCacheDtype != nil),
            ("--hosts", hosts != nil),
        ]
        if let (name, _) = (train ? serving : training).first(where: { $0.1 }) {
            throw ValidationError("\(name) cannot be given \(train ? "together with" : "without") --train")
        }
        if train, !(1...1 << 30).contains(context) { throw ValidationError("--context must be from 1 to 2^30") }
        if hosts == nil, memory != nil || bandwidth != nil {
            throw ValidationError("--memory and --bandwidth need --hosts")
        }
        if let memory, !(1...1 << 30).contains(memory) { throw ValidationError("--memory must be from 1 to 2^30 GiB") }
        if let bandwidth, !(bandwidth > 0 && bandwidth.isFinite) {
            throw ValidationError("--bandwidth must be a number above 0")
        }
    }

    func run() throws {
        if train {
            let precision = precision ?? .bf16
            let rate =
                try flops.map { $0 * 1e9 }
                ?? (tokens == nil
                    ? 1
                    : TrainingCost.measuredRate(
                        threads: ThreadPlan.defaultThreads, precision: precision))
            let config = try ModelShape(shape).config
            try TrainingModel.check(config)
            let cost = TrainingCost(config, precision: precision)
            let lines = TrainingEstimate.lines(
                cost, length: context, tokens: tokens, batch: batch ?? 16_384, rate: rate)
            for line in lines { print(line) }
            return
        }
        let plan = try DeploymentPlan(
            shape: ModelShape(shape), context: context, sequences: sequences ?? 1, weights: weights,
            cacheType: kvCacheDtype ?? .bf16)
        var lines = plan.lines
        if let hosts {
            let (bytes, rate) = (memory.map { $0 << 30 }, bandwidth.map { $0 * 1e9 })
            lines += [""]
            lines += try plan.lines(hosts: hosts, memory: bytes, bandwidth: rate)
        }
        for line in lines { print(line) }
    }
}

extension DeploymentPlan.Weights: ExpressibleByArgument {}
extension KVDataType: ExpressibleByArgument {}
