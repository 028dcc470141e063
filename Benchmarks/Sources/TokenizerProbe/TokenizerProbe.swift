// Runs the tokenizer for the scripts of this folder: one command per line on standard input, one response per line.
import Foundation
import JSON
import Tokenizers

/// An invalid command.
struct CommandError: Error, CustomStringConvertible {
    let description: String
}

@main
struct TokenizerProbe {
    private var tokenizer: Tokenizer?

    static func main() {
        var probe = TokenizerProbe()
        while let line = readLine() {
            let answer: JSONValue
            do { answer = try probe.run(JSONValue(parsing: line)) } catch { answer = ["error": .string("\(error)")] }
            FileHandle.standardOutput.write(Data(answer.serialized + [UInt8(ascii: "\n")]))
        }
    }

    private mutating func run(_ command: JSONValue) throws -> JSONValue {
        let name = command["command"]?.string ?? ""
        if name == "load" {
            let start = ContinuousClock.now
            tokenizer = try Tokenizer(contentsOf: URL(fileURLWithPath: command["path"]?.string ?? ""))
            return ["seconds": .double(seconds(since: start)), "size": .integer(tokenizer?.vocabularySize ?? 0)]
        }
        guard let tokenizer else { throw CommandError(description: "no tokenizer is loaded") }
        switch name {
        case "encode":
            let text = try text(of: command)
            let start = ContinuousClock.now
            let ids = tokenizer.encode(
                text, addSpecialTokens: command["add_special_tokens"]?.bool ?? false,
                specialTokensAsText: command["special_as_text"]?.bool ?? false)
            let time = seconds(since: start)
            let listed: JSONValue = command["quiet"]?.bool == true ? .null : .array(ids.map { .integer(Int($0)) })
            return ["seconds": .double(time), "count": .integer(ids.count), "ids": listed]
        case "decode":
            let ids = (command["ids"]?.array ?? []).compactMap { $0.integer.map { Int32($0) } }
            let skips = command["skip_special_tokens"]?.bool ?? false
            let start = ContinuousClock.now
            let text = tokenizer.decode(ids, skipSpecialTokens: skips)
            let time = seconds(since: start)
            let streamStart = ContinuousClock.now
            var stream = IncrementalDetokenizer(tokenizer: tokenizer, skipSpecialTokens: skips)
            var streamed: [UInt8] = []
            for id in ids { streamed += stream.append(id) }
            streamed += stream.flush()
            return [
                "seconds": .double(time), "stream_seconds": .double(seconds(since: streamStart)),
                "text": .string(text), "streamed": .string(String(decoding: streamed, as: UTF8.self)),
            ]
        default: throw CommandError(description: "unknown command \(name)")
        }
    }

    private func text(of command: JSONValue) throws -> String {
        if let text = command["text"]?.string { return text }
        return try String(contentsOfFile: command["file"]?.string ?? "", encoding: .utf8)
    }

    private func seconds(since start: ContinuousClock.Instant) -> Double {
        let time = (ContinuousClock.now - start).components
        return Double(time.seconds) + Double(time.attoseconds) * 1e-18
    }
}
