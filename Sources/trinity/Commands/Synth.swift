import ArgumentParser
import Engine
import Foundation
import ModelTools

/// `trinity synth`: writes a checkpoint of a given shape with random weights.
struct Synth: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a checkpoint with random weights.",
        discussion: """
            The checkpoint can be served and benchmarked like a real one: it has a byte tokenizer and a chat template. The \
            same shape, format and seed give the same bytes.
            """)

    @Option(
        help: ArgumentHelp(
            "\(ModelShape.names.joined(separator: ", ")), or the path of a config.json.", valueName: "shape"))
    var shape: String
    @Option(help: ArgumentHelp("Output folder; it must be new or empty.", valueName: "dir"))
    var out: String
    @Option(help: "Format of the linear layers; q4_0 and q4_k_m write one GGUF file.")
    var format = CheckpointSynthesizer.Format.fp8Block
    @Flag(help: "Also quantize the LM head, to 8 bits with int4 and nvfp4. No effect in GGUF, where it is Q6_K.")
    var quantizeHead = false
    @Option(parsing: .unconditional, help: ArgumentHelp("Random seed, from 0.", valueName: "n"))
    var seed: UInt64 = 0

    func validate() throws { try OutputPath.check(out, "--out") }

    func run() throws {
        let synthesizer = CheckpointSynthesizer(
            shape: try ModelShape(shape), format: format, seed: seed, quantizesLMHead: quantizeHead)
        try OutputFolder(path: out).fill { try synthesizer.write(to: URL(fileURLWithPath: out), progress: $0) }
    }
}

extension CheckpointSynthesizer.Format: ExpressibleByArgument {}
