import Checkpoints
import TestSupport

extension FuzzTarget {
    /// Any bytes are a header or a `CheckpointError`; an accepted tensor lies in the file, has the size of its shape and
    /// overlaps no other, and every element of an array can be read.
    static func readGGUF(_ bytes: [UInt8]) throws(BrokenInvariant) {
        let problem = bytes.withUnsafeBytes { file -> BrokenInvariant? in
            guard let header = try? GGUFHeader(parsing: file, path: "model.gguf") else { return nil }
            do throws(BrokenInvariant) { try check(header, bytes: file.count) } catch { return error }
            return nil
        }
        if let problem { throw problem }
    }

    private static func check(_ header: GGUFHeader, bytes: Int) throws(BrokenInvariant) {
        for case .array(let array) in header.metadata.values {
            try BrokenInvariant.check(array.count <= bytes, "an array has more elements than the file bytes")
            try BrokenInvariant.check(array.reduce(0) { count, _ in count + 1 } == array.count, "an element is missing")
        }
        var end = 24
        for entry in header.entries.values.filter({ !$0.range.isEmpty })
            .sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
        {
            try BrokenInvariant.check(entry.range.lowerBound >= end, "two tensors overlap")
            try BrokenInvariant.check(entry.range.upperBound <= bytes, "a tensor ends beyond the file")
            let elements = entry.shape.reduce(1, *)
            try BrokenInvariant.check(
                elements.isMultiple(of: entry.type.blockColumns)
                    && entry.range.count == elements / entry.type.blockColumns * entry.type.blockBytes,
                "a shape is not what the bytes are")
            end = entry.range.upperBound
        }
    }
}
