import Scheduling
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// Stop conditions, decided token by token.
@Suite struct GeneratingSequenceTests {
    private let tokenizer: Tokenizer

    init() throws {
        tokenizer = try Tokenizer(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
    }

    /// Feeds `text`'s tokens until the sequence ends; returns the whole text and the reason.
    private func run(
        _ text: String, thenStop: Bool = true, maxTokens: Int = 1000, minTokens: Int = 0,
        stop: (inout StopConditions) -> Void = { _ in }
    ) -> (text: String, finish: FinishReason?, pieces: [String]) {
        var conditions = StopConditions()
        stop(&conditions)
        var sampling = SamplingParameters()
        sampling.minTokens = minTokens
        var sequence = GeneratingSequence(
            GenerationRequest(
                id: SequenceID(1), promptIDs: [0], sampling: sampling, stop: conditions, maxTokens: maxTokens),
            counts: TokenCounts(prompt: []), tokenizer: tokenizer, endOfSequenceIDs: [3])
        var pieces: [String] = []
        for id in tokenizer.encode(text, addSpecialTokens: false) + (thenStop ? [3] : []) {
            let (piece, finish) = sequence.append(id)
            pieces.append(piece)
            if let finish { return (pieces.joined(), finish, pieces) }
        }
        return (pieces.joined(), nil, pieces)
    }

    @Test func `the end-of-sequence id ends the text and is not part of it`() {
        let result = run("Hello there!")
        #expect(result.text == "Hello there!")
        #expect(result.finish == .stop(.endOfSequence))
    }

    @Test func `an ignored end-of-sequence id is an ordinary token`() {
        let result = run("Hello there!", stop: { $0.ignoresEndOfSequence = true })
        #expect(result.finish == nil)
    }

    @Test func `the token limit ends the sequence`() {
        let ids = tokenizer.encode("One two three four", addSpecialTokens: false)
        let result = run("One two three four", maxTokens: 2)
        #expect(result.finish == .length)
        #expect(result.text == tokenizer.decode(Array(ids.prefix(2)), skipSpecialTokens: true))
    }

    @Test func `a stop string is found across tokens and cut off`() {
        let result = run("She said hello to the old fox.", stop: { $0.strings = ["lo to th"] })
        #expect(result.text == "She said hel")
        #expect(result.finish == .stop(.string("lo to th")))
    }

    @Test func `a stop string is kept on request`() {
        let result = run(
            "She said hello to the old fox.",
            stop: {
                $0.strings = ["lo to th"]
                $0.keepsStopText = true
            })
        #expect(result.text == "She said hello to th")
    }

    @Test func `text that only begins like a stop string is released at the end`() {
        let result = run("She said hello", stop: { $0.strings = ["hello!"] })
        #expect(result.text == "She said hello")
        #expect(result.finish == .stop(.endOfSequence))
    }

    @Test func `a stop id ends the sequence and is the stop reason`() {
        let ids = tokenizer.encode("Hello there!", addSpecialTokens: false)
        let result = run("Hello there!", stop: { $0.tokenIDs = [ids[1]] })
        #expect(result.finish == .stop(.token(ids[1])))
        #expect(result.text == tokenizer.decode([ids[0]], skipSpecialTokens: true))
    }

    @Test func `a stop string within the minimum number of tokens does not stop`() {
        let result = run("She said hello to the old fox.", minTokens: 8, stop: { $0.strings = ["said"] })
        #expect(result.finish == .stop(.endOfSequence))
    }

    @Test func `no piece ends inside a character`() {
        let text = "é🚀 漢字 ñ"
        let result = run(text)
        #expect(result.text == text)
        #expect(result.pieces.allSatisfy { !$0.unicodeScalars.contains("\u{FFFD}") })
    }
}
