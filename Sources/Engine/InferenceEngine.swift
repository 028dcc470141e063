import Scheduling

/// The interface of an engine for the server: ``LLMEngine``, or a scripted one in a simulation.
public protocol InferenceEngine: Sendable {
    /// Submits sequences to generate. Returns false, and accepts none, if the engine is full or stopping.
    func submit(_ requests: [GenerationRequest]) -> Bool
    /// Aborts sequences: each live one gets a last event with `abort`. Unknown and ended ids are ignored.
    func abort(_ ids: [SequenceID])
    /// The events since the last call.
    func takeReport() -> EngineReport
    /// Ends the engine after the current step; running sequences are aborted.
    func stop()
}

extension LLMEngine: InferenceEngine {}
