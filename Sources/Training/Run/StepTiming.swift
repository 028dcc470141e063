import JSON

/// The duration of a step and the amount of its computation. It is not part of ``StepReport``, which is equal for equal steps.
public struct StepTiming: Sendable {
    public var seconds = StepSeconds()
    public var tokens = 0
    /// The number of multiplications and additions in products and attention.
    public var operations = 0.0
    /// The peak number of operations per second of the threads, with bfloat16 products in registers if the CPU supports them.
    public var peakRate = 0.0

    public var tokensPerSecond: Double { Double(tokens) / seconds.total }
    public var operationRate: Double { operations / seconds.total }
    public var shareOfPeak: Double { operationRate / peakRate }

    /// Adds the timing to a line of the run's log.
    func write(to line: inout JSONObject) {
        line["seconds"] = .double(seconds.total)
        line["seconds_loader"] = .double(seconds.loader)
        line["seconds_forward"] = .double(seconds.forward)
        line["seconds_backward"] = .double(seconds.backward)
        line["seconds_optimizer"] = .double(seconds.optimizer)
        line["tokens_per_second"] = .double(tokensPerSecond)
        line["gflops"] = .double(operationRate / 1e9)
        line["share_of_peak"] = .double(shareOfPeak)
    }
}
