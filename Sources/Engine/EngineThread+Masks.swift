import Grammars
import Scheduling

// The interface of the engine thread to the mask workers. The engine thread never computes a mask itself: it requests unknown masks
// as soon as a token is sampled, and defers a sequence whose mask is late.

extension EngineThread {
    /// The maximum time that a step waits for masks after the model has run. It is enough for the mask of an ordinary grammar on a
    /// busy machine. A slower mask defers only its own sequence.
    static let longestMaskWait = Duration.milliseconds(2)

    /// Requests the masks of a sequence's next tokens.
    ///
    /// - Parameter drafts: The number of its draft tokens in the current step.
    func askForMasks(of id: SequenceID, drafts: Int = 0) {
        guard let sequence = sequences[id] else { return }
        if drafts > 0 {
            guard !sequence.isPending, sequences[id]?.verify(drafts: drafts) == true else { return }
        }
        guard let grammar = sequences[id]?.grammar else { return }
        asked.insert(id)
        maskWorkers.ask(id, tenant: sequence.request.tenant, grammar)
        // The sequence has all its tokens, and only its finish reason is open.
        if sequence.isPending, sequence.hasAllTokens { deferred.insert(id) }
    }

    /// Takes the workers' answers. Returns the events of the sequences that end with them.
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

    /// Waits for the masks of a step's sequences, at most ``longestMaskWait``. Returns the sequences whose masks are late.
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
