import ArgumentParser
import Engine
import Foundation

/// `trinity quantize`: a checkpoint again, its linear layers in FP8.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a checkpoint again with its linear layers in FP8.",
        discussion: """
            Weights become E4M3 with a scale for each block of 128 by 128 (compressed-tensors, float-quantized), bit for \
            bit what serve --weights fp8 makes of them. Embeddings, routers and norms stay as they are; so does the head \
            unless --quantize-head is given.
            """)

    @Argument(help: ArgumentHelp("Folder of a BF16, F16 or F32 checkpoint.", valueName: "source"))
    var source: String
    @Argument(help: ArgumentHelp("Folder to write; it must be new or empty.", valueName: "destination"))
    var destination: String
    @Flag(help: "Quantise the head too, as serve --weights fp8 does; some tools cannot read that.")
    var quantizeHead = false

    func run() throws {
        let quantizer = CheckpointQuantizer(
            source: URL(fileURLWithPath: source), destination: URL(fileURLWithPath: destination),
            quantizesHead: quantizeHead)
        let meter = ProgressMeter("writing \(destination)")
        try quantizer.write { meter.update($0) }
        meter.finish()
    }
}
