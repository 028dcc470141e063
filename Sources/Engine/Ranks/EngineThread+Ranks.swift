import Scheduling

// The engine thread's communication with other ranks. If one process has the whole model, there is no ring, and a step uses the
// same calls.

extension EngineThread {
    /// Returns the commands since the last call. Waits if there is nothing to do.
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
        // If a rank is lost in the meantime, the next iteration or step notices. Commands that were taken must be executed.
        return mailbox.take(waits: waits, until: deadline)
    }

    /// Ends all sequences with an error, including those that were submitted later.
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

    /// Chooses the number of batches among which decodes are divided, by the times of the stages.
    func chooseBatches() {
        guard let ring else { return }
        let ranks = ring.group.ranks
        scheduler.maxBatchesInFlight = batchesInFlight ?? depth.value(stages: ranks)
        scheduler.overlap = batchesInFlight == 1 ? 1 : depth.overlap(stages: ranks)
        totals.batchesInFlight = mostBegun
    }

    /// The number of steps that may be in flight now. If no sequence decodes, it is at least the number of stages. More steps in
    /// flight would make decodes read more experts, but the chunks of prompts are the same.
    var mostBegun: Int {
        let batches = scheduler.maxBatchesInFlight
        guard let ring, batchesInFlight == nil, !scheduler.isDecoding else { return batches }
        return max(batches, ring.group.ranks)
    }

    /// Records the times of the stages in the step that ends. Returns their sum, or `nil` if one process has the whole model.
    ///
    /// - Parameter end: The time to end the step, from the start of the wait for its reply to the report.
    func observeStages(endingTook end: Duration) -> Duration? {
        guard let ring else { return nil }
        let times = ring.stageTimes(endingTook: end)
        depth.observe(times, messages: ring.lastMessageTime)
        return times.reduce(.zero, +)
    }

    /// Starts a step: runs the embeddings and this rank's layers. Returns their time.
    func begin(_ batch: ForwardBatch) throws(RankFailure) -> Duration {
        let begin = clock.now
        transformer.begin(batch)
        let compute = clock.now - begin
        try ring?.begin(batch, rows: transformer.residual(rows: batch.tokens.count), compute: compute)
        return compute
    }

    /// Waits for the reply to the first of the steps that have begun, or for commands. Returns false if there are commands.
    func waitForReply() throws(RankFailure) -> Bool {
        guard let ring, !begun.isEmpty else { return true }
        return try ring.waitForReply { mailbox.hasNews }
    }

    /// Ends the first of the steps that have begun. Returns its logits, as `Transformer.forward` does.
    func complete(_ step: BegunStep) throws(RankFailure) -> UnsafeBufferPointer<Float> {
        if let reply = try ring?.complete(step.batch) {
            reply.withRows { transformer.takeFinalRows(step.batch.finalRows, $0) }
            // Steps that have begun since then have counted their own traffic.
            transformer.traffic = step.traffic
        }
        return transformer.logits(of: step.batch.logitRows)
    }

    /// Returns whether the state after the last layer is used for all rows of a sequence, and not only for those that need logits.
    func usesAllRows(_ id: SequenceID) -> Bool {
        isEmbedding(id) || sequences[id]?.request.promptLogprobs != nil
    }
}
