import ChatTemplates
import JSON
import TestSupport
import Testing

@testable import Server

@Suite struct ChatConsoleTests {
    private func run(
        _ input: [String], system: String? = nil, isTerminal: Bool = false,
        reply: (JSONValue) throws -> [ChatOutputEvent] = { _ in [.content("ok")] }
    ) -> (output: String, requests: [JSONValue]) {
        var (lines, output, requests) = (input[...], "", [JSONValue]())
        withoutActuallyEscaping(reply) { reply in
            ChatConsole(parameters: ["seed": 1], system: system, isTerminal: isTerminal) {
                lines.popFirst()
            } write: {
                output += $0
            } generate: { body, receive in
                requests.append(body)
                for event in try reply(body) { receive(event) }
            }.run()
        }
        return (output, requests)
    }

    @Test func `each turn has the conversation so far, and the reasoning`() {
        let (output, requests) = run(["Hi", "More"], system: "Be kind.") { _ in
            [.reasoning("hm"), .content("a"), .content("b")]
        }
        #expect(output == "ab\nab\n\n")
        #expect(requests.count == 2 && requests[1]["seed"] == 1)
        #expect(
            requests[1]["messages"] == [
                ["role": "system", "content": "Be kind."], ["role": "user", "content": "Hi"],
                ["role": "assistant", "content": "ab", "reasoning": "hm"], ["role": "user", "content": "More"],
            ])
    }

    @Test func `a backslash joins lines, and empty ones are ignored`() {
        let (_, requests) = run(["", "one\\", "two", "three\\"])
        #expect(requests.compactMap { $0["messages"]?.array?.last?["content"]?.string } == ["one\ntwo", "three\n"])
    }

    @Test func `commands are not sent to the model`() {
        let (output, requests) = run([
            "/help", "a", "/reset", "b", "/system Be brief.", "c", "/history", "/what", "/exit", "d",
        ])
        #expect(requests.map { $0["messages"]?.array?.count } == [1, 1, 2])
        #expect(output.contains("/history  ") && output.contains("user: c\nassistant: ok\n"))
        #expect(output.contains("Unknown command /what"))
    }

    @Test func `an error is shown, and is not part of the conversation`() {
        var count = 0
        let (output, requests) = run(["a", "b"]) { _ in
            count += 1
            if count == 1 { throw ApplicationError(reason: "too long") }
            return [.content("ok")]
        }
        #expect(output == "too long\nok\n\n")
        #expect(requests[1]["messages"]?.array?.count == 1)
    }

    @Test func `a terminal shows reasoning dimmed`() {
        let (output, _) = run(["a"], isTerminal: true) { _ in [.reasoning("hm"), .content("ok")] }
        #expect(output.contains("\u{1B}[2mhm\u{1B}[0m\n\nok\n"))
    }
}
