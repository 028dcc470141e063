import Scheduling
import TestSupport

/// The step time of a machine with a mixture of experts: what every step reads, the experts that its tokens are sent to, and the
/// arithmetic of each token.
struct MixtureMachine {
    /// Seconds of a step, of reading all experts, and of a token.
    var step: Double
    var experts: Double
    var token: Double
    /// Times differ by so much from what they should be.
    var noise = 0.05

    /// Trinity Nano on two Zen 4 cores: fitted to 40, 83 and 115 tokens a second of 1, 8 and 32 sequences, and to 200 of a prompt
    /// of 512.
    static let nano = MixtureMachine(step: 0.017, experts: 0.1344, token: 0.0047)
    /// The `small` shape there: 328, 813, 1108 and 1689.
    static let small = MixtureMachine(step: 0.00065, experts: 0.0115, token: 0.000568)
    /// Twice as fast: eight sequences decode in 5 ms.
    static let fast = MixtureMachine(step: 0.000325, experts: 0.00575, token: 0.000284)

    /// Both models send a token to one expert in 16.
    static let expertShare = 1.0 / 16

    func seconds(tokens: Int) -> Double {
        var missed = 1.0
        for _ in 0..<tokens { missed *= 1 - Self.expertShare }
        return step + experts * (1 - missed) + token * Double(tokens)
    }
}

/// Clients of a scheduler on such a machine, on a virtual clock.
struct MixtureServer {
    /// A client's request: it asks for the next one as soon as it is answered, if there is one.
    struct Client {
        var promptTokens: Int
        var completionTokens: Int
        var priority = 0
        var requests = 1
    }

    /// What was measured.
    struct Outcome {
        /// Seconds.
        var time = 0.0
        /// Seconds between two tokens of each stream, in order of time, without those of ``MixtureServer/ignored``.
        var gaps: [Double] = []
        var firstTokens: [Double] = []

        func percentile(_ share: Double) -> Double {
            let sorted = gaps.sorted()
            return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
    }

    private let machine: MixtureMachine
    private var scheduler: Scheduler
    private var random: SeededGenerator
    private var nextID: UInt64 = 1
    private var now = 0.0
    private var live: [SequenceID: (client: Client, sent: Double, left: Int, last: Double?)] = [:]

    init(_ machine: MixtureMachine, _ policy: PrefillPolicy, seed: UInt64 = 1) {
        self.machine = machine
        random = SeededGenerator(seed: seed)
        scheduler = makeScheduler(
            maxSequences: 64, maxBatchedTokens: 512, maxQueuedSequences: 1000, window: 2048, totalBlocks: 1_000_000,
            prefillPolicy: policy, expertShare: MixtureMachine.expertShare)
    }

    mutating func add(_ client: Client) throws {
        let id = SequenceID(nextID)
        nextID += 1
        live[id] = (client, now, client.completionTokens, nil)
        try scheduler.add(
            id, promptTokens: client.promptTokens, maxTokens: client.completionTokens, priority: client.priority)
    }

    /// Runs until all are answered, or for some seconds.
    mutating func run(_ clients: [Client] = [], atMost seconds: Double = .infinity) throws -> Outcome {
        for client in clients { try add(client) }
        let begin = now
        var outcome = Outcome()
        while !scheduler.isIdle, now < begin + seconds {
            let batch = scheduler.schedule(now: .seconds(now))
            let time =
                machine.seconds(tokens: batch.tokenCount)
                * .random(in: 1 - machine.noise...1 + machine.noise, using: &random)
            now += time
            scheduler.advance(batch)
            scheduler.observe(batch.work, took: .seconds(time))
            for scheduled in batch.sequences where scheduled.samples { try sample(scheduled.id, &outcome) }
        }
        outcome.time = now - begin
        return outcome
    }

    private mutating func sample(_ id: SequenceID, _ outcome: inout Outcome) throws {
        guard var request = live.removeValue(forKey: id) else { return }
        if let last = request.last {
            outcome.gaps.append(now - last)
        } else {
            outcome.firstTokens.append(now - request.sent)
        }
        request.last = now
        request.left -= 1
        guard request.left == 0 else {
            scheduler.appendToken(id)
            live[id] = request
            return
        }
        scheduler.finish(id)
        request.client.requests -= 1
        if request.client.requests > 0 { try add(request.client) }
    }
}
