import Scheduling

/// What the server needs of an engine: ``LLMEngine``, or a scripted one in a simulation.
public protocol InferenceEngine: Sendable {
    /// Hands over sequences to generate. Returns false, and takes none, when the engine is full or stopping.
    func submit(_ requests: [GenerationRequest]) -> Bool
    /// Ends sequences early: each that still lives gets a last event with `abort`. Unknown and ended ids are ignored.
    func abort(_ ids: [SequenceID])
    /// Everything that happened since the last call.
    func takeReport() -> EngineReport
    /// Ends the engine after the current step; what still runs is aborted.
    func stop()
}

extension LLMEngine: InferenceEngine {}
