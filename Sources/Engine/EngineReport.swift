/// What the engine thread has for the server, at most one event a sequence.
public struct EngineReport: Sendable {
    public var events: [TokenEvent]
    public var statistics: EngineStatistics

    public init(events: [TokenEvent], statistics: EngineStatistics) {
        self.events = events
        self.statistics = statistics
    }
}
