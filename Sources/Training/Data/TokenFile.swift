import Checkpoints
import Foundation

/// A safetensors file of tokenized documents: `tokens` (count), `offsets` (documents + 1), the start of each document and the end
/// of the last one, and optionally `weights` (count), the weights of the tokens as targets.
public struct TokenFile {
    public let documents: Int
    let path: String
    private let tokens: StoredTensor
    private let weights: StoredTensor?
    private let offsets: StoredTensor

    /// - Throws: `CheckpointError` if the file cannot be read; `TrainingError.tensor` if it lacks these tensors or has values out
    ///   of range.
    public init(_ url: URL, vocabularySize: Int) throws {
        let tensors = try SafetensorsFile(url).tensors
        func failure(_ tensor: String, _ reason: String) -> TrainingError {
            .tensor(file: url.path, name: tensor, reason: reason)
        }
        func vector(_ name: String, _ types: [TensorType]) throws(TrainingError) -> StoredTensor {
            guard let tensor = tensors[name] else { throw failure(name, "is missing") }
            guard tensor.shape.count == 1, types.contains(tensor.type) else {
                let expected = types.map(\.rawValue).joined(separator: " or ")
                throw failure(name, "is \(tensor.type.rawValue) \(tensor.shape), expected one dimension of \(expected)")
            }
            return tensor
        }
        path = url.path
        tokens = try vector("tokens", [.uint8, .uint16, .int32])
        offsets = try vector("offsets", [.int64])
        weights = try tensors["weights"].map { _ throws(TrainingError) in try vector("weights", [.uint8, .float32]) }
        if let weights, weights.shape != tokens.shape {
            throw failure("weights", "has \(weights.shape), expected \(tokens.shape)")
        }
        documents = offsets.shape[0] - 1
        guard documents > 0 else { throw failure("offsets", "has no document") }
        var end = 0
        for index in 0...documents {
            let next = offset(index)
            guard index == 0 ? next == 0 : next >= end, next <= tokens.shape[0] else {
                throw failure("offsets", "does not ascend from 0 at \(index)")
            }
            end = next
        }
        guard end == tokens.shape[0] else {
            throw failure("offsets", "ends at \(end), expected \(tokens.shape[0])")
        }
        try checkValues(vocabularySize: vocabularySize)
    }

    /// Returns the number of tokens of a document.
    func length(of document: Int) -> Int { offset(document + 1) - offset(document) }

    /// Returns the tokens of a document.
    func document(_ index: Int) -> Document {
        let range = offset(index)..<offset(index + 1)
        return Document(
            ids: range.map { Int32(Self.number(tokens, $0)) },
            weights: weights.map { weights in range.map { Self.number(weights, $0) } })
    }

    /// Checks all tokens and weights once, so that a run does not fail at an invalid value halfway through.
    ///
    /// - Throws: `TrainingError.tensor` for an id outside the vocabulary or a weight outside 0...1.
    private func checkValues(vocabularySize: Int) throws(TrainingError) {
        for index in 0..<tokens.shape[0] {
            let id = Self.number(tokens, index)
            guard id >= 0, id < Float(vocabularySize) else {
                throw .tensor(
                    file: path, name: "tokens", reason: "is \(Int(id)) at \(index), expected 0...\(vocabularySize - 1)")
            }
        }
        guard let weights else { return }
        for index in 0..<weights.shape[0] {
            let weight = Self.number(weights, index)
            guard weight >= 0, weight <= 1 else {
                throw .tensor(file: path, name: "weights", reason: "is \(weight) at \(index), expected 0...1")
            }
        }
    }

    private func offset(_ index: Int) -> Int {
        Int(clamping: offsets.bytes.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self))
    }

    /// Reads an element. The result is exact, because a vocabulary has fewer than 2^24 tokens.
    private static func number(_ tensor: StoredTensor, _ index: Int) -> Float {
        switch tensor.type {
        case .uint8: Float(tensor.bytes[index])
        case .uint16: Float(tensor.bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        case .int32: Float(tensor.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
        default: tensor.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
        }
    }
}
