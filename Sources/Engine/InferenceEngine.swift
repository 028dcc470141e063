import Scheduling

/// The interface of an engine to the server: ``LLMEngine``, or a scripted engine in a simulation.
public protocol InferenceEngine: Sendable {
    /// Submits sequences to generate. Returns false, and accepts none, if the engine is full or stopping.
    func submit(_ requests: [GenerationRequest]) -> Bool
    /// Aborts sequences. Each live one gets a last event with `abort`. Unknown and ended ids are ignored.
    func abort(_ ids: [SequenceID])
    /// Returns the events since the last call.
    func takeReport() -> EngineReport
    /// Stops the engine after the current step. Running sequences are aborted.
    func stop()
}

extension LLMEngine: InferenceEngine {}
