import Basics
import ChatTemplates

// Assistant messages that clients send back with their original ids. Tokenizing their text again could give other ids, which
// are not in the prefix cache.

extension TextPipeline {
    /// Returns the ids of a rendered chat. If the template renders a message exactly as it was generated, the given ids are used.
    /// Otherwise its text is tokenized like any other.
    ///
    /// - Parameter runs: the result of ``render(_:)``.
    /// - Throws: `APIError` for ids that do not decode to the message, and the errors of ``encode(_:_:param:for:)``.
    func encode(
        _ request: ChatCompletionRequest, _ runs: [TextRun], for model: ServedModel
    ) throws(APIError) -> [Int32] {
        let spans = try generatedSpans(of: request, in: runs)
        guard !spans.isEmpty else {
            return try encode(runs, request.options, param: request.promptParameter, for: model)
        }
        var options = request.options
        options.truncation = nil
        var ids: [Int32] = []
        var rest = runs[...]
        var position = 0
        for span in spans {
            ids += try encode(
                Self.take(span.bytes.lowerBound - position, from: &rest), options, param: request.promptParameter,
                for: model)
            ids += span.ids
            _ = Self.take(span.bytes.count, from: &rest)
            position = span.bytes.upperBound
        }
        ids += try encode(Array(rest), options, param: request.promptParameter, for: model)
        return request.options.truncation?.cut(ids) ?? ids
    }

    /// Returns the ids of a rendered chat. It may have any length if no message has its original ids.
    func ids(of request: ChatCompletionRequest, _ runs: [TextRun], for model: ServedModel) throws(APIError) -> [Int32] {
        guard request.messages.allSatisfy(\.tokenIDs.isEmpty) else { return try encode(request, runs, for: model) }
        return tokenizer.encode(runs, addSpecialTokens: request.options.addsSpecialTokens)
    }

    private struct Span {
        var bytes: Range<Int>
        var ids: [Int32]
    }

    private func generatedSpans(
        of request: ChatCompletionRequest, in runs: [TextRun]
    ) throws(APIError) -> [Span] {
        let numbers = request.messages.indices.filter { !request.messages[$0].tokenIDs.isEmpty }
        guard let template, !numbers.isEmpty, !request.options.addsSpecialTokens else { return [] }
        // The text of these messages is marked as untrusted.
        let marked: [TextRun]
        do throws(TemplateError) {
            marked = try template.render(
                request.templateVariables(specialTokens: specialTokens),
                untrusted: UntrustedInputs(messages: Set(numbers)))
        } catch {
            throw .template(error.description)
        }
        var places: [Range<Int>] = []
        var end = 0
        for run in marked {
            let start = end
            end += run.text.utf8.count
            if !run.isTrusted { places.append(start..<end) }
        }
        let text = Array(runs.map(\.text).joined().utf8)
        var spans: [Span] = []
        for number in numbers {
            let (ids, generated) = try generatedText(of: request.messages[number], at: "messages[\(number)].token_ids")
            let position = spans.last?.bytes.upperBound ?? 0
            for place in places where place.lowerBound >= position {
                // The generated text may begin before the message's part of it, for instance with a reasoning tag.
                let first = max(position, place.upperBound - generated.count)
                let start = (first..<max(first, place.lowerBound + 1)).first { start in
                    start + generated.count <= text.count && !Cancellation.isRequested
                        && text[start..<start + generated.count].elementsEqual(generated)
                }
                if Cancellation.isRequested { throw .aborted }
                guard let start else { continue }
                spans.append(Span(bytes: start..<start + generated.count, ids: ids))
                break
            }
        }
        return spans
    }

    /// Returns the message's ids without the special tokens at the end, and their text.
    private func generatedText(
        of message: ChatMessage, at path: String
    ) throws(APIError) -> (ids: [Int32], text: [UInt8]) {
        var ids = message.tokenIDs
        while let last = ids.last, tokenizer.isSpecial(last) { ids.removeLast() }
        let text = tokenizer.decode(ids, skipSpecialTokens: false)
        var parser = ChatOutputParser(syntax: outputSyntax, prompt: "", tools: [[:]])
        var output = ParsedOutput()
        output.add(parser.append(text) + parser.finish())
        // If the prompt has opened the reasoning, the reply has only its end.
        var inside = ChatOutputParser(syntax: outputSyntax, prompt: "<think>", tools: [[:]])
        var outputInside = ParsedOutput()
        outputInside.add(inside.append(text) + inside.finish())
        guard [output.content, outputInside.content, text].contains(message.content) else {
            throw .invalid(param: path, message: "'\(path)' does not decode to the message's content.")
        }
        return (ids, Array(text.utf8))
    }

    /// Takes `bytes` bytes from the runs.
    private static func take(_ bytes: Int, from runs: inout ArraySlice<TextRun>) -> [TextRun] {
        var taken: [TextRun] = []
        var room = bytes
        while room > 0, var run = runs.popFirst() {
            let utf8 = Array(run.text.utf8)
            if utf8.count > room {
                runs = [TextRun(text: String(decoding: utf8[room...], as: UTF8.self), isTrusted: run.isTrusted)] + runs
                run.text = String(decoding: utf8[..<room], as: UTF8.self)
            }
            room -= min(room, utf8.count)
            taken.append(run)
        }
        return taken
    }
}
