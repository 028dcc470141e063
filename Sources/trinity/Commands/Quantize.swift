import ArgumentParser
import Engine
import Foundation
import Hub
import ModelTools

/// `trinity quantize`: converts the linear layers of a checkpoint to 16, 8 or 4 bits.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Convert the linear layers of a checkpoint to 16, 8 or 4 bits.",
        discussion: """
            The weights are written in the formats of compressed-tensors, bit for bit as serve --quantization converts them. fp8 \
            is E4M3 with a scale for each block of 128 by 128 (float-quantized), int4 and int8 are integers with a scale for \
            each 32 columns (pack-quantized), and nvfp4 is E2M1 with a scale for each 16 columns (nvfp4-pack-quantized). \
            Embeddings, routers and norms keep their format, and so does the LM head unless --quantize-head is given. With \
            --round-others or --weights bf16, F32 tensors that are not quantized become BF16, except the biases of experts; with \
            --weights bf16, F16 tensors too.
            """)

    enum Group: Int, ExpressibleByArgument, CaseIterable {
        case narrow = 32
        case middle = 64
        case wide = 128
    }

    @Argument(
        help: ArgumentHelp(
            "Folder of a BF16, F16, F32 or FP8 checkpoint, or its name on the Hugging Face Hub.", valueName: "source"))
    var source: String
    @Argument(help: ArgumentHelp("Output folder; it must be new or empty.", valueName: "destination"))
    var destination: String
    @Option(help: "Format of the linear layers.")
    var weights = CheckpointQuantizer.Format.fp8
    @Option(help: "Number of columns that share a scale, with --weights int4.")
    var group = Group.narrow
    @Flag(help: "Convert F32 tensors that are not quantized to BF16, for instance to export a trained model.")
    var roundOthers = false
    @Flag(
        help: """
            Also quantize the LM head, as serve --quantization does: to fp8 with fp8, otherwise to int8. Some tools cannot read \
            the result.
            """)
    var quantizeHead = false

    func validate() throws {
        try OutputPath.check(destination, "the destination")
        guard group == .narrow || weights == .int4 else { throw ValidationError("--group needs --weights int4") }
        if weights == .bf16, quantizeHead {
            throw ValidationError("--quantize-head cannot be used with --weights bf16")
        }
    }

    func run() throws {
        let quantizer = CheckpointQuantizer(
            source: URL(fileURLWithPath: try Hub.path(of: source)),
            destination: URL(fileURLWithPath: destination), format: weights, groupColumns: group.rawValue,
            quantizesLMHead: quantizeHead, roundsOthers: roundOthers)
        let wide = try OutputFolder(path: destination).fill { try quantizer.write(progress: $0) }
        guard let first = wide.first else { return }
        OutputFolder.say(
            "\(wide.count) matrices are not quantized, since their columns are no multiple of a group: \(first), ...")
    }
}

extension CheckpointQuantizer.Format: ExpressibleByArgument {}
