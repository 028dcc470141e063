/// A clock that advances only from event to event, with a queue of events in order of time.
final class VirtualTime<Event> {
    private struct Entry {
        var time: ContinuousClock.Instant
        var number: Int
        var event: Event
    }

    private(set) var now = ContinuousClock.now
    /// The next event is the last element.
    private var entries: [Entry] = []
    private var count = 0

    /// The time of the next event; never before now.
    var next: ContinuousClock.Instant? { entries.last.map { max($0.time, now) } }

    /// Adds an event `delay` from now, after those with the same time.
    func schedule(after delay: Duration, _ event: Event) {
        count += 1
        let entry = Entry(time: now + max(.zero, delay), number: count, event: event)
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].time > entry.time { low = middle + 1 } else { high = middle }
        }
        entries.insert(entry, at: low)
    }

    /// Advances to the next event.
    func advance() -> Event? {
        guard let entry = entries.popLast() else { return nil }
        now = max(now, entry.time)
        return entry.event
    }

    /// Makes the clock jump, as after a suspend: events that were due during the jump are late.
    func jump(by duration: Duration) {
        now += duration
    }
}
