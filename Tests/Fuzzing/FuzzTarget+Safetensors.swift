import Checkpoints
import Engine
import TestSupport

extension FuzzTarget {
    /// Any bytes are a header or a `CheckpointError`; an accepted tensor lies in the file, has the size of its shape and
    /// overlaps no other.
    static func readSafetensors(_ bytes: [UInt8]) throws(BrokenInvariant) {
        let header = bytes.withUnsafeBytes { file in
            try? SafetensorsHeader(parsing: file, path: "model.safetensors")
        }
        guard let header else { return }
        var end = 0
        for entry in header.entries.values.filter({ !$0.range.isEmpty })
            .sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
        {
            try BrokenInvariant.check(entry.range.lowerBound >= max(8, end), "two tensors overlap")
            try BrokenInvariant.check(entry.range.upperBound <= bytes.count, "a tensor ends beyond the file")
            try BrokenInvariant.check(
                entry.range.count == entry.shape.reduce(entry.type.size, *), "a shape is not what the bytes are")
            end = entry.range.upperBound
        }
    }
}
