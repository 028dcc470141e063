/// How many batches are in flight, from the times of the stages.
///
/// While one batch is in one stage, the others can be in other stages. With m batches, all of them pass the ring once in
///
///     max(m * time of the slowest stage, time of all stages)
///
/// so m is the time of all stages divided by that of the slowest, rounded: as many as hide the way around the ring. More would only
/// make batches smaller, and each reads its own experts anew.
struct BatchDepth {
    /// The weight of a new time: about 16 steps count.
    private static let weight = 1.0 / 16

    /// Mean seconds of each stage; empty before the first step.
    private var means: [Double] = []

    /// Adds the times of a step.
    mutating func observe(_ times: [Duration]) {
        let seconds = times.map { max($0 / .seconds(1), 0) }
        guard means.count == seconds.count else {
            means = seconds
            return
        }
        for index in means.indices { means[index] += (seconds[index] - means[index]) * Self.weight }
    }

    /// 1 to the number of stages; as many as there are stages before the first step.
    func value(stages: Int) -> Int {
        guard let slowest = means.max(), slowest > 0 else { return stages }
        return min(max(Int((means.reduce(0, +) / slowest).rounded()), 1), stages)
    }
}
