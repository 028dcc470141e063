import Checkpoints
import Foundation

/// Documents as tokens, in a safetensors file: `tokens` (count) and `offsets` (documents + 1), where each document begins and
/// the last one ends; optional `weights` (count), those of the tokens as targets.
public struct TokenFile {
    public let documents: Int
    private let tokens: StoredTensor
    private let weights: StoredTensor?
    private let offsets: StoredTensor
    private let vocabularySize: Int

    /// - Throws: `CheckpointError` for a file that cannot be read, `TrainingError.batches` for one without these tensors.
    public init(_ url: URL, vocabularySize: Int) throws {
        let tensors = try SafetensorsFile(url).tensors
        func vector(_ name: String, _ types: [TensorType]) throws(TrainingError) -> StoredTensor {
            guard let tensor = tensors[name] else { throw .batches(tensor: name, reason: "is missing") }
            guard tensor.shape.count == 1, types.contains(tensor.type) else {
                let expected = types.map(\.rawValue).joined(separator: " or ")
                throw .batches(
                    tensor: name,
                    reason: "is \(tensor.type.rawValue) \(tensor.shape), expected one dimension of \(expected)")
            }
            return tensor
        }
        tokens = try vector("tokens", [.uint8, .uint16, .int32])
        offsets = try vector("offsets", [.int64])
        weights = try tensors["weights"].map { _ throws(TrainingError) in try vector("weights", [.uint8, .float32]) }
        if let weights, weights.shape != tokens.shape {
            throw TrainingError.batches(tensor: "weights", reason: "has \(weights.shape), expected \(tokens.shape)")
        }
        self.vocabularySize = vocabularySize
        documents = offsets.shape[0] - 1
        guard documents > 0 else { throw TrainingError.batches(tensor: "offsets", reason: "has no document") }
        var end = 0
        for index in 0...documents {
            let next = offset(index)
            guard index == 0 ? next == 0 : next >= end, next <= tokens.shape[0] else {
                throw TrainingError.batches(tensor: "offsets", reason: "does not ascend from 0 at \(index)")
            }
            end = next
        }
        guard end == tokens.shape[0] else {
            throw TrainingError.batches(tensor: "offsets", reason: "ends at \(end), expected \(tokens.shape[0])")
        }
    }

    /// The number of tokens of a document.
    func length(of document: Int) -> Int { offset(document + 1) - offset(document) }

    /// A token of a document.
    ///
    /// - Throws: `TrainingError.batches` for an id outside the vocabulary or a weight outside 0...1.
    func slot(document: Int, token: Int, number: Int) throws(TrainingError) -> PackedBatch.Slot {
        let index = offset(document) + token
        let id = Self.number(tokens, index)
        guard id >= 0, id < Float(vocabularySize) else {
            throw .batches(tensor: "tokens", reason: "is \(id) at \(index), expected 0...\(vocabularySize - 1)")
        }
        let weight = weights.map { Self.number($0, index) } ?? 1
        guard weight >= 0, weight <= 1 else {
            throw .batches(tensor: "weights", reason: "is \(weight) at \(index), expected 0...1")
        }
        return PackedBatch.Slot(id: Int32(id), document: number, weight: weight)
    }

    private func offset(_ index: Int) -> Int {
        Int(clamping: offsets.bytes.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self))
    }

    /// Exact: a vocabulary has fewer than 2^24 tokens.
    private static func number(_ tensor: StoredTensor, _ index: Int) -> Float {
        switch tensor.type {
        case .uint8: Float(tensor.bytes[index])
        case .uint16: Float(tensor.bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        case .int32: Float(tensor.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
        default: tensor.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
        }
    }
}
