import Checkpoints
import Engine
import Foundation
import JSON

/// Writes checkpoints of any shape with random weights, for benchmarks without a real model.
///
/// Matrices are normally distributed with a standard deviation of 0.02, norms are ones, so that activations stay finite at any
/// depth. The same shape, format and seed give the same bytes on every machine, with any number of threads.
public struct CheckpointSynthesizer: Sendable {
    /// The format of linear layers, and of the LM head if requested; all other tensors are bfloat16.
    public enum Format: String, Sendable, CaseIterable {
        /// E4M3 with a scale for each block of 128 by 128, like released FP8 checkpoints.
        case fp8Block = "fp8-block"
        case bf16
    }

    public var shape: ModelShape
    public var format: Format
    public var seed: UInt64
    /// Whether the LM head is stored like a linear layer; no effect if it is tied to the embeddings.
    public var quantizesLMHead: Bool

    public init(shape: ModelShape, format: Format, seed: UInt64, quantizesLMHead: Bool = false) {
        self.shape = shape
        self.format = format
        self.seed = seed
        self.quantizesLMHead = quantizesLMHead
    }

    private static let deviation: Float = 0.02
    /// The scale of every block, a power of two as in released checkpoints; the largest weight, 3.5 standard deviations,
    /// becomes 290.
    private static let scale: Float = 0x1p-12
    /// The number of bytes that are generated before they are written.
    private static let pieceBytes = 16 << 20

    private struct Part {
        enum Content {
            case ones
            case constant(Float)
            /// Normally distributed numbers, selected by 16 random bits each from a table of two or one bytes per element.
            case normal
        }

        var entry: CheckpointWriter.Entry
        var content: Content
    }

    /// Writes the folder `directory`.
    ///
    /// - Parameter progress: called with the completed fraction.
    /// - Throws: `CheckpointError.unwritable`, also if `directory` exists and is not empty.
    public func write(to directory: URL, progress: (Double) -> Void = { _ in }) throws {
        try CheckpointWriter.fill(directory) { try fill(directory, progress: progress) }
    }

    private func fill(_ directory: URL, progress: (Double) -> Void) throws {
        let parts = shape.config.expectedTensors.flatMap(self.parts)
        guard !shape.json.isEmpty else {
            throw ToolError.argument("the shape of a GGUF file has no config.json to write; give a config.json")
        }
        var writer = try CheckpointWriter(directory: directory, entries: parts.map(\.entry))
        let pool = WorkerPool(threads: try ThreadPlan.ofMachine().threads, spinning: .zero)
        let tables = Tables()
        let piece = OwnedBytes(count: Self.pieceBytes)
        for (number, part) in parts.enumerated() {
            let total = part.entry.bytes
            for start in stride(from: 0, to: total, by: Self.pieceBytes) {
                let bytes = UnsafeMutableRawBufferPointer(
                    rebasing: piece.bytes[..<min(Self.pieceBytes, total - start)])
                fill(bytes, of: part, number: number, start: start, tables: tables, pool: pool)
                try writer.append(UnsafeRawBufferPointer(bytes))
                progress(Double(writer.writtenBytes) / Double(writer.totalBytes))
            }
        }
        try writer.finish()
        if !(try SyntheticTokenizer.write(to: directory, config: shape.config)) {
            try CheckpointWriter.write(["temperature": 1.0], to: "generation_config.json", in: directory)
        }
        // Written last, so that an incomplete folder is not mistaken for a model.
        var json = shape.json
        if format == .fp8Block {
            json["quantization_config"] = QuantizationConfig.blockJSON(quantizesLMHead: quantizesLMHead)
        }
        try CheckpointWriter.write(.object(json), to: "config.json", in: directory)
    }

    private func parts(_ tensor: ExpectedTensor) -> [Part] {
        typealias Entry = CheckpointWriter.Entry
        switch tensor.role {
        case .vector where tensor.name.hasSuffix("expert_bias"):
            return [Part(entry: Entry(name: tensor.name, type: .float32, shape: tensor.shape), content: .normal)]
        case .vector:
            return [Part(entry: Entry(name: tensor.name, type: .bfloat16, shape: tensor.shape), content: .ones)]
        case .linear where format == .fp8Block, .lmHead where format == .fp8Block && quantizesLMHead:
            let grid = WeightQuantizer.gridShape(rows: tensor.shape[0], columns: tensor.shape[1])
            return [
                Part(entry: Entry(name: tensor.name, type: .float8E4M3, shape: tensor.shape), content: .normal),
                Part(
                    entry: Entry(name: "\(tensor.name)_scale", type: .float32, shape: grid),
                    content: .constant(Self.scale)),
            ]
        case .linear, .lmHead, .sensitive:
            return [Part(entry: Entry(name: tensor.name, type: .bfloat16, shape: tensor.shape), content: .normal)]
        }
    }

    /// Fills bytes `start ..< start + bytes.count` of a part's data.
    private func fill(
        _ bytes: UnsafeMutableRawBufferPointer, of part: Part, number: Int, start: Int, tables: Tables,
        pool: WorkerPool
    ) {
        let size = part.entry.type.size
        let (first, count) = (start / size, bytes.count / size)
        switch (part.content, part.entry.type) {
        case (.constant(let value), _):
            bytes.bindMemory(to: Float.self).update(repeating: value)
        case (.ones, _):
            bytes.bindMemory(to: UInt16.self).update(repeating: 0x3F80)
        case (.normal, .float32):
            let target = bytes.bindMemory(to: Float.self)
            let state = streamStart(number)
            for index in first..<first + count {
                let bits = Self.word(state, index / 4) >> (16 * (index % 4)) & 0xFFFF
                // A small bias, so that no expert is strongly preferred.
                target[index - first] = tables.normal.base[Int(bits)] / 4
            }
        case (.normal, .bfloat16):
            fill(bytes.bindMemory(to: UInt16.self), from: tables.bfloat16, number, first, pool)
        case (.normal, _):
            fill(bytes.bindMemory(to: UInt8.self), from: tables.float8, number, first, pool)
        }
    }

    private func fill<Code: BitwiseCopyable>(
        _ target: UnsafeMutableBufferPointer<Code>, from table: Buffer<Code>, _ number: Int, _ first: Int,
        _ pool: WorkerPool
    ) {
        let state = streamStart(number)
        let table = table.base
        pool.forEachRange(of: (target.count + 3) / 4, grain: 1 << 14) { words in
            for index in words {
                var bits = Self.word(state, first / 4 + index)
                for element in index * 4..<min(index * 4 + 4, target.count) {
                    target[element] = table[Int(bits & 0xFFFF)]
                    bits >>= 16
                }
            }
        }
    }

    private func streamStart(_ number: Int) -> UInt64 {
        Self.word(seed, number)
    }

    /// Number `index` of a SplitMix64 generator that begins at `state` (Steele, Lea and Flood, "Fast Splittable
    /// Pseudorandom Number Generators", 2014).
    @inline(__always)
    static func word(_ state: UInt64, _ index: Int) -> UInt64 {
        var z = state &+ (UInt64(truncatingIfNeeded: index) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// For each 16 random bits a normally distributed number, in the formats that are written.
    private struct Tables {
        let normal: Buffer<Float>
        let bfloat16: Buffer<UInt16>
        let float8: Buffer<UInt8>

        init() {
            let count = 1 << 16
            normal = Buffer(count: count)
            bfloat16 = Buffer(count: count)
            float8 = Buffer(count: count)
            for bits in 0..<count {
                // The Box-Muller transform with 256 radii and 256 angles.
                let radius = (-2 * log((Double(bits >> 8) + 0.5) / 256)).squareRoot()
                let value = Float(radius * cos(2 * .pi * (Double(bits & 0xFF) + 0.5) / 256)) * deviation
                normal.base[bits] = value
                bfloat16.base[bits] = UInt16(truncatingIfNeeded: (value.bitPattern + 0x8000) >> 16)
                float8.base[bits] = Float8.encode(value / scale)
            }
        }
    }
}
