import Scheduling
import TestSupport

/// A sequence of the simulation: the actions of its client, and its state.
struct Script {
    let id: SequenceID
    /// The step of its arrival.
    let arrival: Int
    let topic: Int
    let promptTokens: Int
    let maxTokens: Int
    /// The number of sampled tokens after which the model ends it.
    let lastToken: Int
    /// Prompt and sampled tokens.
    var tokens: [Int32]
    var priority = 0
    var tenant = ""
    /// The time after its arrival at which its client disconnects; `nil`: never.
    var patience: Duration?
    /// The number of steps in which its client reads a token; `nil`: it reads all at once.
    var stepsPerRead: Int?

    /// Its deadline.
    var deadline: Duration?
    /// The content of its tokens that were computed or found in this run.
    var contents: [UInt64] = []
    /// The contents in memory for the last computed token and for each draft after it.
    var lastContents: [UInt64] = []
    /// Draft tokens of the current step.
    var drafts: [Int32] = []
    var computedTokens = 0
    /// The number of tokens computed for it, in all runs.
    var work = 0
    /// The number of times that it was started.
    var runs = 0
    var isRunning = false
    /// The step of its first token.
    var firstRead: Int?

    var sampledTokens: Int { tokens.count - promptTokens }
    var remainingTokens: Int { tokens.count - computedTokens }
    var rank: (Int, SequenceID) { (priority, id) }

    /// Sequences with different salts share nothing; those with the same topic have mostly equal tokens.
    var cacheSalt: [UInt8] { [UInt8(topic / 2)] }

    static func promptToken(_ topic: Int, at position: Int, _ random: inout SeededGenerator) -> Int32 {
        random.oneIn(30) ? Int32.random(in: 0..<3, using: &random) : Int32(10 + topic % 2 + position % 7)
    }

    /// The scripted model: the token after a content.
    static func sampledToken(after content: UInt64) -> Int32 {
        Int32(SimulatedMemory.withoutTag(content) % 5)
    }

    /// Draft tokens for the continuation of `content`, sometimes with a wrong one.
    static func drafts(_ count: Int, after content: UInt64, _ random: inout SeededGenerator) -> [Int32] {
        var (content, drafts) = (content, [Int32]())
        for _ in 0..<count {
            let token = sampledToken(after: content)
            drafts.append(random.oneIn(4) ? (token + 1) % 5 : token)
            content = SimulatedMemory.content(of: drafts[drafts.count - 1], after: content)
        }
        return drafts
    }

    /// A prompt of `promptTokens` tokens, with random other properties.
    static func random(
        _ id: Int, promptTokens: ClosedRange<Int>, maxTokens: ClosedRange<Int>, arrivals: ClosedRange<Int>,
        _ random: inout SeededGenerator
    ) -> Script {
        let maxTokens = Int.random(in: maxTokens, using: &random)
        let promptTokens = Int.random(in: promptTokens, using: &random)
        let topic = Int.random(in: 0..<3, using: &random)
        var script = Script(
            id: SequenceID(UInt64(id)), arrival: .random(in: arrivals, using: &random), topic: topic,
            promptTokens: promptTokens, maxTokens: maxTokens,
            lastToken: random.oneIn(2) ? maxTokens : .random(in: 1...maxTokens, using: &random),
            tokens: (0..<promptTokens).map { promptToken(topic, at: $0, &random) })
        if random.oneIn(3) { script.priority = .random(in: -1...2, using: &random) }
        script.tenant = ["", "", "a", "b"].randomElement(using: &random) ?? ""
        if random.oneIn(5) { script.patience = .milliseconds(Int.random(in: 0...800, using: &random)) }
        if random.oneIn(8) { script.stepsPerRead = .random(in: 1...3, using: &random) }
        return script
    }
}
