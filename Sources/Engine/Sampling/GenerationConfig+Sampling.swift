import Checkpoints

extension GenerationConfig {
    /// The default sampling parameters of requests.
    public var samplingDefaults: SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = sampling.temperature
        parameters.topK = sampling.topK
        parameters.topP = sampling.topP
        parameters.minP = sampling.minP
        parameters.repetitionPenalty = sampling.repetitionPenalty
        return parameters
    }
}
