/// A clock that stands still between events, and the events to come, in order of time.
final class VirtualTime<Event> {
    private struct Entry {
        var time: ContinuousClock.Instant
        var number: Int
        var event: Event
    }

    private(set) var now = ContinuousClock.now
    /// Last comes first.
    private var entries: [Entry] = []
    private var count = 0

    /// When the next event is due; never before now.
    var next: ContinuousClock.Instant? { entries.last.map { max($0.time, now) } }

    /// Puts an event `delay` from now, behind those of the same time.
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

    /// Goes on to the next event.
    func advance() -> Event? {
        guard let entry = entries.popLast() else { return nil }
        now = max(now, entry.time)
        return entry.event
    }

    /// The clock jumps, as after a night of sleep: what was due meanwhile is late.
    func jump(by duration: Duration) {
        now += duration
    }
}
