import TestSupport

/// Derives new inputs from existing ones, deterministically from the random numbers.
public struct Mutator: Sendable {
    /// The maximum length of an input, so that a run stays short.
    static let maximumLength = 16_384

    private let inputs: [[UInt8]]
    private let words: [[UInt8]]

    /// - Parameters:
    ///   - inputs: the inputs to mutate; not empty.
    ///   - words: tokens of the format.
    public init(inputs: [[UInt8]], words: [[UInt8]]) {
        precondition(!inputs.isEmpty, "mutants come of an input")
        (self.inputs, self.words) = (inputs, words)
    }

    /// A mutant of one of the inputs, after some steps.
    public func mutant(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = any(of: inputs, &random)
        for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
        return Array(bytes.prefix(Mutator.maximumLength))
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let part = part(of: bytes, &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes.replaceSubrange(part, with: any(of: words, &random))
        case 1: bytes.insert(contentsOf: any(of: words, &random), at: part.lowerBound)
        case 2:
            // Splice: replaces a part with a part of another input.
            let other = any(of: inputs, &random)
            bytes.replaceSubrange(part, with: other[self.part(of: other, &random)])
        case 3 where !bytes.isEmpty:
            bytes[Int.random(in: bytes.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 4:
            let copies = Int.random(in: 1...20, using: &random)
            let copy = Array(bytes[part])
            for _ in 0..<copies where bytes.count < Mutator.maximumLength {
                bytes.insert(contentsOf: copy, at: part.lowerBound)
            }
        case 5: bytes.removeSubrange(part)
        default: bytes.removeLast(bytes.count - part.upperBound)
        }
    }

    /// Usually a short one.
    private func part(of bytes: [UInt8], _ random: inout SeededGenerator) -> Range<Int> {
        let start = Int.random(in: 0...bytes.count, using: &random)
        let longest = random.oneIn(4) ? bytes.count - start : min(bytes.count - start, 8)
        return start..<start + Int.random(in: 0...longest, using: &random)
    }

    private func any(of choices: [[UInt8]], _ random: inout SeededGenerator) -> [UInt8] {
        choices.randomElement(using: &random) ?? []
    }
}
