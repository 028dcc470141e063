/// How many batches are in flight, from the times of the stages.
///
/// While one batch is in one stage, the others can be in other stages. With m batches, all of them pass the ring once in
///
///     max(m * time of the slowest stage, time of all stages and of the messages between them)
///
/// so m is the second divided by the time of the slowest stage, rounded: as many as hide the way around the ring. More would only
/// make batches smaller, and each reads its own experts anew.
struct BatchDepth {
    /// The weight of a new time: about 16 steps count.
    private static let weight = 1.0 / 16

    /// Mean seconds of each stage; empty before the first step.
    private var means: [Double] = []
    /// Mean seconds of all messages of a step.
    private var messages = 0.0

    /// Adds the times of a step.
    ///
    /// - Parameters:
    ///   - times: of the stages.
    ///   - messages: of the messages between them; `nil`: unknown.
    mutating func observe(_ times: [Duration], messages: Duration? = nil) {
        if let messages { self.messages += (max(messages / .seconds(1), 0) - self.messages) * Self.weight }
        let seconds = times.map { max($0 / .seconds(1), 0) }
        guard means.count == seconds.count else {
            means = seconds
            return
        }
        for index in means.indices { means[index] += (seconds[index] - means[index]) * Self.weight }
    }

    /// 1 to one more than there are stages; as many as there are stages before the first step.
    func value(stages: Int) -> Int {
        guard let slowest = means.max(), slowest > 0 else { return stages }
        let round = (means.reduce(messages, +) / slowest).rounded()
        return Int(min(max(round, 1), Double(stages + 1)))
    }
}
