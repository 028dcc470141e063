import Checkpoints
import Foundation

/// A safetensors file of packed micro-batches: the tensors `stepS.microM.ids`, `.document` and `.weight`, each (rows, length), of
/// any integer type. `weight` may also have a floating-point type.
///
/// `document` is the number of the document within its row, or -1 for padding. `weight` is the weight of the token as a target.
public struct BatchFile {
    /// The maximum number of positions in a micro-batch: 16 million.
    public static let mostPositions = 1 << 24

    private let path: String
    private let tensors: [String: StoredTensor]
    private let vocabularySize: Int
    /// The number of consecutive steps from 0.
    public let steps: Int
    /// The number of positions of the largest micro-batch.
    let largestMicroBatch: Int

    /// - Throws: `CheckpointError` if the file cannot be read; `TrainingError.tensor` if it has no steps, or if the numbers of
    ///   steps and micro-batches have a gap.
    public init(_ url: URL, vocabularySize: Int) throws {
        let tensors = try SafetensorsFile(url).tensors
        // The number of micro-batches of each step.
        var (counts, largest) = ([Int](), 0)
        var rest = Set(tensors.keys.filter { Self.step(of: $0) != nil })
        while tensors["step\(counts.count).micro0.ids"] != nil {
            var count = 0
            while let ids = tensors["step\(counts.count).micro\(count).ids"] {
                largest = max(largest, ids.shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue })
                for part in Self.parts {
                    let name = "step\(counts.count).micro\(count).\(part)"
                    guard rest.remove(name) != nil else {
                        throw TrainingError.tensor(file: url.path, name: name, reason: "is missing")
                    }
                }
                count += 1
            }
            counts.append(count)
        }
        guard !counts.isEmpty else {
            throw TrainingError.tensor(file: url.path, name: "step0.micro0.ids", reason: "is missing")
        }
        if let name = rest.min(), let step = Self.step(of: name) {
            let missing =
                counts.indices.contains(step) ? "step\(step).micro\(counts[step])" : "step\(counts.count).micro0"
            throw TrainingError.tensor(
                file: url.path, name: name, reason: "is behind a gap: \(missing).ids is missing")
        }
        (self.tensors, self.vocabularySize, steps) = (tensors, vocabularySize, counts.count)
        (path, largestMicroBatch) = (url.path, largest)
    }

    private static let parts = ["ids", "document", "weight"]

    /// The step of a tensor named `stepS.microM.PART`, or `nil` for other names.
    private static func step(of name: String) -> Int? {
        let words = name.split(separator: ".", omittingEmptySubsequences: false)
        guard words.count == 3, parts.contains(String(words[2])), words[0].hasPrefix("step"),
            words[1].hasPrefix("micro"), Int(words[1].dropFirst(5)) != nil
        else { return nil }
        return Int(words[0].dropFirst(4))
    }

    private func failure(_ tensor: String, _ reason: String) -> TrainingError {
        .tensor(file: path, name: tensor, reason: reason)
    }

    /// Reads the first steps, so that a run does not fail at an invalid value halfway through.
    ///
    /// - Throws: `TrainingError.tensor`, with the name of the tensor.
    func check(steps: Int) throws(TrainingError) {
        for step in 0..<min(steps, self.steps) { _ = try microBatches(step: step) }
    }

    /// Returns the micro-batches of a step.
    ///
    /// - Throws: `TrainingError.tensor`, with the name of the tensor.
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
                    throw failure("\(prefix).document", "is not -1 or a number from 0, at \(index)")
                }
                if document >= 0, slots.last?.document != document, !seen.insert(document).inserted {
                    throw failure("\(prefix).document", "has document \(document) twice in row \(row)")
                }
                guard let token = Int32(exactly: id), token >= 0, Int(token) < vocabularySize else {
                    throw failure("\(prefix).ids", "is \(id) at \(index), expected 0...\(vocabularySize - 1)")
                }
                guard weight >= 0, weight <= 1 else {
                    throw failure("\(prefix).weight", "is \(weight) at \(index), expected 0...1")
                }
                slots.append(PackedBatch.Slot(id: token, document: document, weight: Float(weight)))
            }
            rows.append(slots)
        }
        return PackedBatch(rows: rows)
    }

    /// - Parameter shape: the expected shape, or `nil` for any shape with two dimensions.
    private func read(_ name: String, shape: [Int]?) throws(TrainingError) -> (shape: [Int], values: [Double]) {
        guard let tensor = tensors[name] else { throw failure(name, "is missing") }
        guard tensor.shape.count == 2, shape.map({ $0 == tensor.shape }) ?? true else {
            let expected = shape.map { "\($0)" } ?? "(rows, length)"
            throw failure(name, "has the shape \(tensor.shape), expected \(expected)")
        }
        let (count, overflow) = tensor.shape[0].multipliedReportingOverflow(by: tensor.shape[1])
        guard !overflow, count <= Self.mostPositions else {
            throw failure(name, "has more than \(Self.mostPositions) positions")
        }
        guard let values = tensor.numbers else {
            throw failure(name, "has the type \(tensor.type.rawValue)")
        }
        return (tensor.shape, values)
    }
}
