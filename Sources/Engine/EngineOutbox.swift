import Scheduling
import Synchronization

/// The events from the engine thread that the server has not yet taken.
///
/// Events of one sequence are merged, so the number of live sequences and their token limits bound the size even if the reader is
/// slow. The engine thread never waits.
final class EngineOutbox: Sendable {
    private struct Content {
        var events: [TokenEvent] = []
        var places: [SequenceID: Int] = [:]
        var statistics = EngineStatistics()
        var isAnnounced = false
    }

    private let content = Mutex(Content())
    private let wake: @Sendable () -> Void

    /// - Parameter wake: A function that is called once when there are events to take, and not again until they are taken.
    init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    func post(_ events: [TokenEvent], _ statistics: EngineStatistics) {
        let wakes = content.withLock { content in
            for event in events {
                if let place = content.places[event.sequence] {
                    content.events[place].merge(event)
                } else {
                    content.places[event.sequence] = content.events.count
                    content.events.append(event)
                }
            }
            content.statistics = statistics
            defer { content.isAnnounced = true }
            return !content.isAnnounced
        }
        if wakes { wake() }
    }

    func take() -> EngineReport {
        content.withLock { content in
            let report = EngineReport(events: content.events, statistics: content.statistics)
            content.events = []
            content.places = [:]
            content.isAnnounced = false
            return report
        }
    }
}
