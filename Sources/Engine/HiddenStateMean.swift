/// The mean of a prompt's final hidden states, added up while its chunks are computed.
///
/// States are added in the order of their positions, whatever the chunks, so the sum has the same bits every time.
struct HiddenStateMean {
    /// (hiddenSize); empty before the first state.
    private var sum: [Double] = []
    /// How many of the prompt's tokens are in it, from the first on. After a preemption they are computed again, and are the same.
    private(set) var tokens = 0

    /// Adds the state of the next token.
    mutating func add(_ state: UnsafeBufferPointer<Float>) {
        if sum.isEmpty { sum = [Double](repeating: 0, count: state.count) }
        precondition(sum.count == state.count, "states of one model have one width")
        for index in sum.indices { sum[index] += Double(state[index]) }
        tokens += 1
    }

    /// The mean, scaled to length 1; nil where it has no direction: no state, zeros, or a number that is none.
    var normalized: [Float]? {
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0, length.isFinite else { return nil }
        return sum.map { Float($0 / length) }
    }
}
