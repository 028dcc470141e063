/// The events of the engine thread for the server, at most one per sequence.
public struct EngineReport: Sendable {
    public var events: [TokenEvent]
    public var statistics: EngineStatistics

    public init(events: [TokenEvent], statistics: EngineStatistics) {
        self.events = events
        self.statistics = statistics
    }
}
