import Foundation

/// The loop of a rank other than 0: it receives a step from the previous rank, runs its layers, and passes the step on.
final class FollowerThread {
    private let transformer: Transformer
    private let stage: Stage
    private let group: RankGroup
    private let bounds: StepBounds
    private let hiddenSize: Int
    private let clock = ContinuousClock()

    init(transformer: Transformer, stage: Stage, group: RankGroup, bounds: StepBounds) {
        self.transformer = transformer
        self.stage = stage
        self.group = group
        self.bounds = bounds
        hiddenSize = bounds.hiddenSize
    }

    /// Runs until rank 0 stops all ranks.
    func run() throws(RankFailure) {
        let previous = stage.rank - 1
        while true {
            let begin = clock.now
            let bytes = try group.receive(from: previous, atMost: bounds.bytes(ranks: stage.ranks))
            let wait = clock.now - begin
            let (kind, step) = try group.read(bytes, from: previous) {
                (reader) throws(RankMessageError) -> (RankMessage, StepMessage?)? in
                switch try RankMessage.read(&reader) {
                case .step: (.step, try StepMessage(bytes, from: previous, bounds))
                case .rest: (.rest, nil)
                case .stop: (.stop, nil)
                case .report, .decision, .failure, .reply: nil
                }
            }
            if let step {
                try run(step, wait: wait)
            } else {
                if !stage.isLast { try group.transport.send(bytes, to: stage.rank + 1) }
                try group.flush()
                if kind == .stop { return }
                try rest()
            }
        }
    }

    private func run(_ step: StepMessage, wait: Duration) throws(RankFailure) {
        let begin = clock.now
        step.withRows { transformer.resume(step.batch, rows: $0) }
        let time = StageTime(
            compute: UInt64((clock.now - begin) / .nanoseconds(1)), wait: UInt64(wait / .nanoseconds(1)))
        let rows = transformer.residual(rows: step.batch.tokens.count)
        if stage.isLast {
            let reply = StepReply.bytes(
                number: step.number, times: step.times + [time], finalRows: step.batch.finalRows, of: rows,
                hiddenSize: hiddenSize)
            try group.transport.send(reply, to: 0)
        } else {
            let message = StepMessage.bytes(
                number: step.number, step.batch, times: step.times + [time], rows: rows, bounds)
            try group.transport.send(message, to: stage.rank + 1)
        }
    }

    /// Sleeps until the bell rings.
    private func rest() throws(RankFailure) {
        group.transport.bell.sleep()
        try group.check()
    }
}
