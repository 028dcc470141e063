import ArgumentParser
import Basics
import Engine
import Foundation
import Hub
import ModelTools

/// `trinity quantize`: converts the linear layers of a checkpoint to FP8.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Convert the linear layers of a checkpoint to FP8.",
        discussion: """
            Weights are stored as E4M3 with a scale for each block of 128 by 128 (compressed-tensors, float-quantized), bit \
            for bit as serve --quantization fp8 converts them. Embeddings, routers and norms keep their format, and so does \
            the head unless --quantize-head is given.
            """)

    @Argument(
        help: ArgumentHelp(
            "Folder of a BF16, F16 or F32 checkpoint, or its name on the Hugging Face Hub.", valueName: "source"))
    var source: String
    @Argument(help: ArgumentHelp("Output folder; it must be new or empty.", valueName: "destination"))
    var destination: String
    @Flag(help: "Quantize the head too, as serve --quantization fp8 does. Some tools cannot read the result.")
    var quantizeHead = false

    func run() throws {
        let quantizer = CheckpointQuantizer(
            source: URL(fileURLWithPath: try Hub.fromEnvironment().path(of: source)),
            destination: URL(fileURLWithPath: destination),
            quantizesLMHead: quantizeHead)
        let meter = ProgressMeter("writing \(destination)")
        try quantizer.write { meter.update($0) }
        meter.finish()
    }
}
