extension TokenLogprobs {
    /// Computes log-probabilities from the original `logits` (vocabularySize): that of the token `id`, with its rank, and those of
    /// the `top` most probable tokens.
    ///
    /// - Throws: `SamplerError` if the logits are not a distribution.
    init(of id: Int32, logits: UnsafeBufferPointer<Float>, top: Int) throws(SamplerError) {
        let maximum = try Sampler.finiteMaximum(of: logits)
        let logSum = logits.logSumExp(maximum: maximum)
        func logprob(_ id: Int32) -> Float { Float(Double(logits[Int(id)]) - Double(maximum) - logSum) }
        self.init(
            logprob: logprob(id), rank: 1 + logits.count(above: logits[Int(id)]),
            top: logits.largestIDs(top).map { TokenLogprob(id: $0, logprob: logprob($0)) })
    }
}
