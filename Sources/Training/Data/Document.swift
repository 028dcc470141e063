/// A tokenized document.
struct Document: Sendable, Equatable {
    var ids: [Int32]
    /// The weights of the tokens as targets, from 0 to 1, or `nil` if all are 1.
    var weights: [Float]?

    var count: Int { ids.count }

    func weight(_ index: Int) -> Float { weights?[index] ?? 1 }
}
