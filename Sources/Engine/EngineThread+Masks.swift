import Grammars
import Scheduling

// Where the engine thread meets the mask workers. It never computes a mask itself: what is not known is asked for as soon as
// a token is there, and a sequence whose mask is late is deferred.

extension EngineThread {
    /// The longest that a step waits for all masks that are not ready when the model has run. With it no step is longer than
    /// a mask of a modest grammar takes on a busy machine; what takes longer defers its own sequence only.
    static let longestMaskWait = Duration.milliseconds(2)

    /// Asks for what may come next in a sequence.
    ///
    /// - Parameter drafts: how many of its draft tokens are in the current step.
    func askForMasks(of id: SequenceID, drafts: Int = 0) {
        guard let sequence = sequences[id] else { return }
        if drafts > 0 {
            guard !sequence.isPending, sequences[id]?.verify(drafts: drafts) == true else { return }
        }
        guard let grammar = sequences[id]?.grammar else { return }
        asked.insert(id)
        maskWorkers.ask(id, tenant: sequence.request.tenant, grammar)
        // It samples no more; only why it ends is open.
        if sequence.isPending, sequence.hasAllTokens { deferred.insert(id) }
    }

    /// Takes the workers' answers; returns the events of the sequences that these end.
    func takeMasks() -> [TokenEvent] {
        guard !asked.isEmpty else { return [] }
        var events: [SequenceID: TokenEvent] = [:]
        takeMasks(into: &events)
        return events.keys.sorted().compactMap { events[$0] }
    }

    private func takeMasks(into events: inout [SequenceID: TokenEvent]) {
        for (id, chain) in maskWorkers.takeAnswers() {
            guard let result = sequences[id]?.resolve(chain) else { continue }
            deferred.remove(id)
            if !chain.isIncomplete { asked.remove(id) }
            guard result.finish != nil else { continue }
            var event = events[id] ?? TokenEvent(sequence: id)
            event.text += result.text
            event.finish = result.finish
            finish(id, event: &event)
            events[id] = event
        }
    }

    /// Waits for the masks of a step's sequences, at most ``longestMaskWait``; returns those that are late.
    func waitForMasks(
        of scheduled: ScheduledBatch, _ events: inout [SequenceID: TokenEvent]
    ) -> Set<SequenceID> {
        guard !asked.isEmpty else { return [] }
        takeMasks(into: &events)
        var missing = scheduled.sequences.filter(\.samples).map(\.id).filter { sequences[$0]?.isPending == true }
        guard !missing.isEmpty else { return [] }
        let begin = clock.now
        maskWorkers.forgetAnswers()
        takeMasks(into: &events)
        missing = missing.filter { sequences[$0]?.isPending == true }
        while !missing.isEmpty, maskWorkers.waitForAnswer(until: begin + Self.longestMaskWait) {
            takeMasks(into: &events)
            missing = missing.filter { sequences[$0]?.isPending == true }
        }
        totals.masks.waits += clock.now - begin
        totals.masks.deferrals += UInt64(missing.count)
        deferred.formUnion(missing)
        return Set(missing)
    }
}
