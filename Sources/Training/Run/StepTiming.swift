import JSON

/// How long a step took, and how much it computed. Not part of ``StepReport``, which is equal for equal steps.
public struct StepTiming: Sendable {
    public var seconds = StepSeconds()
    public var tokens = 0
    /// Multiplications and additions of products and attention.
    public var operations = 0.0
    /// Operations that the threads can do in a second, by bfloat16 products in registers if the CPU has them.
    public var peakRate = 0.0

    public var tokensPerSecond: Double { Double(tokens) / seconds.total }
    public var operationRate: Double { operations / seconds.total }
    public var shareOfPeak: Double { operationRate / peakRate }

    /// Its members in a line of the run's log.
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
