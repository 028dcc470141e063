import Scheduling

// The engine thread's work with other ranks. With one process there is no ring, and a step goes through the same calls.

extension EngineThread {
    /// The commands since the last call. Waits if there is nothing to do.
    func takeCommands() throws(RankFailure) -> EngineMailbox.Content {
        let waits = begun.isEmpty && (scheduler.isIdle || isBlocked)
        let deadline = isBlocked ? scheduler.nextDeadline.map { start + $0 } : nil
        if let ring {
            try ring.group.check()
            if waits, !ring.isResting {
                let soon = clock.now + RankRing.restDelay
                let commands = mailbox.take(waits: true, until: deadline.map { min($0, soon) } ?? soon)
                guard commands.isEmpty, !commands.isWoken else { return commands }
                try ring.rest()
            }
        }
        // A rank that is lost meanwhile is noticed in the next turn or step: commands that were taken must be followed.
        return mailbox.take(waits: waits, until: deadline)
    }

    /// Ends all sequences, also those that come later, with an error.
    func failAll(_ reason: RankFailure) -> [TokenEvent] {
        mailbox.stop()
        let late = mailbox.take(waits: false).submitted.map(\.id)
        return (sequences.keys + late).sorted().map { id in
            let sequence = remove(id)
            scheduler.abort(id)
            var event = TokenEvent(sequence: id)
            event.finish = .error(reason.description)
            event.preemptions = sequence?.preemptions ?? 0
            return event
        }
    }

    /// Starts a step: embeddings and this rank's layers. Returns their time.
    func begin(_ batch: ForwardBatch) throws(RankFailure) -> Duration {
        let begin = clock.now
        transformer.begin(batch)
        let compute = clock.now - begin
        try ring?.begin(batch, rows: transformer.residual(rows: batch.tokens.count), compute: compute)
        return compute
    }

    /// Ends the first of the steps that have begun: its logits, as of `Transformer.forward`.
    func complete(_ step: BegunStep) throws(RankFailure) -> UnsafeBufferPointer<Float> {
        if let reply = try ring?.complete(step.batch) {
            reply.withRows { transformer.takeFinalRows(step.batch.finalRows, $0) }
            // Steps that have begun since have counted their own.
            transformer.traffic = step.traffic
        }
        return transformer.logits(of: step.batch.logitRows)
    }

    /// Whether the state of all rows of a sequence after the last layer is used, not only of those that need logits.
    func usesAllRows(_ id: SequenceID) -> Bool {
        isEmbedding(id) || sequences[id]?.request.promptLogprobs != nil
    }
}
