import ArgumentParser
import Engine
import Foundation

/// `trinity synth`: a checkpoint of a real shape with random weights.
struct Synth: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a checkpoint with random weights.",
        discussion: """
            The folder can be served and benchmarked like a real one: it has a tokenizer of bytes and a chat template. \
            The same shape, format and seed give the same bytes.
            """)

    @Option(
        help: ArgumentHelp(
            "\(ModelShape.names.joined(separator: ", ")), or the path of a config.json.", valueName: "shape"))
    var shape: String
    @Option(help: ArgumentHelp("Folder to write; it must be new or empty.", valueName: "dir"))
    var out: String
    @Option(help: "How linear layers are stored.")
    var format = CheckpointSynthesizer.Format.fp8Block
    @Flag(help: "Store the head like a linear layer; FP8 checkpoints usually leave it in BF16.")
    var quantizeHead = false
    @Option(help: ArgumentHelp("Where the random numbers begin.", valueName: "n"))
    var seed: UInt64 = 0

    func run() throws {
        let synthesizer = CheckpointSynthesizer(
            shape: try ModelShape(shape), format: format, seed: seed, quantizesHead: quantizeHead)
        let meter = ProgressMeter("writing \(out)")
        try synthesizer.write(to: URL(fileURLWithPath: out)) { meter.update($0) }
        meter.finish()
    }
}

extension CheckpointSynthesizer.Format: ExpressibleByArgument {}
