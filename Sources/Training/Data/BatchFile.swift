import Checkpoints
import Foundation

/// Packed micro-batches in a safetensors file: `stepS.microM.ids`, `.document` and `.weight`, each (rows, length), of any
/// integer type, `weight` also of a floating point type.
///
/// `document` is the number of the document inside its row, and -1 for padding; `weight` is that of the token as a target.
public struct BatchFile {
    /// The most positions of one micro-batch: 16 million.
    public static let mostPositions = 1 << 24

    private let tensors: [String: StoredTensor]
    private let vocabularySize: Int
    /// The number of consecutive steps from 0.
    public let steps: Int

    /// - Throws: `CheckpointError` for a file that cannot be read, `TrainingError.batches` for one without steps.
    public init(_ url: URL, vocabularySize: Int) throws {
        let tensors = try SafetensorsFile(url).tensors
        var steps = 0
        while tensors["step\(steps).micro0.ids"] != nil { steps += 1 }
        guard steps > 0 else { throw TrainingError.batches(tensor: "step0.micro0.ids", reason: "is missing") }
        (self.tensors, self.vocabularySize, self.steps) = (tensors, vocabularySize, steps)
    }

    /// The micro-batches of a step.
    ///
    /// - Throws: `TrainingError.batches` with the name of the tensor.
    public func microBatches(step: Int) throws(TrainingError) -> [PackedBatch] {
        var batches: [PackedBatch] = []
        while tensors["step\(step).micro\(batches.count).ids"] != nil {
            batches.append(try batch("step\(step).micro\(batches.count)"))
        }
        return batches
    }

    private func batch(_ prefix: String) throws(TrainingError) -> PackedBatch {
        let ids = try read("\(prefix).ids", shape: nil)
        let documents = try read("\(prefix).document", shape: ids.shape)
        let weights = try read("\(prefix).weight", shape: ids.shape)
        let length = ids.shape[1]
        var rows: [[PackedBatch.Slot]] = []
        for row in 0..<ids.shape[0] {
            var slots: [PackedBatch.Slot] = []
            var seen: Set<Int> = []
            for index in row * length..<(row + 1) * length {
                let (id, weight) = (ids.values[index], weights.values[index])
                guard let document = Int(exactly: documents.values[index]), document >= -1 else {
                    throw .batches(tensor: "\(prefix).document", reason: "is not -1 or a number from 0, at \(index)")
                }
                if document >= 0, slots.last?.document != document, !seen.insert(document).inserted {
                    throw .batches(
                        tensor: "\(prefix).document", reason: "has document \(document) twice in row \(row)")
                }
                guard let token = Int32(exactly: id), token >= 0, Int(token) < vocabularySize else {
                    throw .batches(
                        tensor: "\(prefix).ids", reason: "is \(id) at \(index), expected 0...\(vocabularySize - 1)")
                }
                guard weight >= 0, weight <= 1 else {
                    throw .batches(tensor: "\(prefix).weight", reason: "is \(weight) at \(index), expected 0...1")
                }
                slots.append(PackedBatch.Slot(id: token, document: document, weight: Float(weight)))
            }
            rows.append(slots)
        }
        return PackedBatch(rows: rows)
    }

    /// - Parameter shape: the expected shape; `nil` for any of two sizes.
    private func read(_ name: String, shape: [Int]?) throws(TrainingError) -> (shape: [Int], values: [Double]) {
        guard let tensor = tensors[name] else { throw .batches(tensor: name, reason: "is missing") }
        guard tensor.shape.count == 2, shape.map({ $0 == tensor.shape }) ?? true else {
            let expected = shape.map { "\($0)" } ?? "(rows, length)"
            throw .batches(tensor: name, reason: "has the shape \(tensor.shape), expected \(expected)")
        }
        let (count, overflow) = tensor.shape[0].multipliedReportingOverflow(by: tensor.shape[1])
        guard !overflow, count <= Self.mostPositions else {
            throw .batches(tensor: name, reason: "has more than \(Self.mostPositions) positions")
        }
        guard let values = tensor.numbers else {
            throw .batches(tensor: name, reason: "has the type \(tensor.type.rawValue)")
        }
        return (tensor.shape, values)
    }
}
