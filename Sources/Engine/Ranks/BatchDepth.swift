/// The number of batches in flight, chosen by the times of the stages.
///
/// While one batch is in one stage, others can be in other stages. With m batches, all of them pass around the ring once in
///
///     max(m * time of the slowest stage, time of all stages and of the messages between them)
///
/// so m is the second term divided by the time of the slowest stage, rounded. This many batches hide the time around the ring. More
/// would only make batches smaller, and each batch reads its own experts again.
struct BatchDepth {
    /// The weight of a new time. About 16 steps count.
    private static let weight = 1.0 / 16

    /// The mean time of each stage in seconds, or empty before the first step.
    private var means: [Double] = []
    /// The mean time of all messages of a step in seconds.
    private var messages = 0.0

    /// Adds the times of a step.
    ///
    /// - Parameters:
    ///   - times: The times of the stages.
    ///   - messages: The time of the messages between them, or `nil` if unknown.
    mutating func observe(_ times: [Duration], messages: Duration? = nil) {
        if let messages { self.messages += (max(messages / .seconds(1), 0) - self.messages) * Self.weight }
        let seconds = times.map { max($0 / .seconds(1), 0) }
        guard means.count == seconds.count else {
            means = seconds
            return
        }
        for index in means.indices { means[index] += (seconds[index] - means[index]) * Self.weight }
    }

    /// Returns a number in 1...`stages` + 1, or `stages` before the first step.
    func value(stages: Int) -> Int { Int(overlap(stages: stages).rounded()) }

    /// Returns the time of all stages and messages divided by that of the slowest stage, in 1...`stages` + 1, or `stages` before the
    /// first step.
    func overlap(stages: Int) -> Double {
        guard let slowest = means.max(), slowest > 0 else { return Double(stages) }
        return min(max(means.reduce(messages, +) / slowest, 1), Double(stages + 1))
    }
}
