/// The mean of a prompt's final hidden states, accumulated while its chunks are computed.
///
/// States are added in the order of their positions, independent of chunks, so the sum always has the same bits.
struct HiddenStateMean {
    /// The sum of the states, (hiddenSize), or empty before the first state.
    private var sum: [Double] = []
    /// The number of leading prompt tokens in the sum. After a preemption they are computed again, with the same result.
    private(set) var tokens = 0

    /// Adds the state of the next token.
    mutating func add(_ state: UnsafeBufferPointer<Float>) {
        if sum.isEmpty { sum = [Double](repeating: 0, count: state.count) }
        precondition(sum.count == state.count, "states of one model have one width")
        for index in sum.indices { sum[index] += Double(state[index]) }
        tokens += 1
    }

    /// The mean, scaled to length 1, or `nil` if it has no direction: no states, a zero vector, or a component that is not finite.
    var normalized: [Float]? {
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0, length.isFinite else { return nil }
        return sum.map { Float($0 / length) }
    }
}
