import Checkpoints

extension GenerationConfig {
    /// What a request that names no sampling parameter gets.
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
