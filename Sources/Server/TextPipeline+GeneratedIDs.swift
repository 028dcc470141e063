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
        let param = request.promptParameter
        let spans = try generatedSpans(of: request, in: runs)
        guard !spans.isEmpty else { return try encode(runs, request.options, param: param, for: model) }
        var options = request.options
        options.truncation = nil
        let ids = try join(spans, in: runs) { piece, count throws(APIError) in
            guard request.options.truncation != nil || count <= model.maxModelLength else {
                throw .promptTooLong(param: param, atLeast: count, limit: model.maxModelLength)
            }
            return try encode(piece, options, param: param, for: model)
        }
        return request.options.truncated(ids, for: model)
    }

    /// Returns the ids of a rendered chat of any length.
    func ids(of request: ChatCompletionRequest, _ runs: [TextRun]) throws(APIError) -> [Int32] {
        try join(generatedSpans(of: request, in: runs), in: runs) { piece, _ in
            tokenizer.encode(piece, addSpecialTokens: request.options.addsSpecialTokens)
        }
    }

    /// Returns the ids of the spans and of the text between them.
    ///
    /// - Parameter encode: encodes a piece of text. Its second argument is the number of ids before the piece.
    private func join(
        _ spans: [Span], in runs: [TextRun], encode: ([TextRun], Int) throws(APIError) -> [Int32]
    ) throws(APIError) -> [Int32] {
        var ids: [Int32] = []
        var cutter = RunCutter(runs)
        var position = 0
        for span in spans {
            if Cancellation.isRequested { throw .aborted }
            ids += try encode(cutter.take(span.bytes.lowerBound - position), ids.count)
            ids += span.ids
            _ = cutter.take(span.bytes.count)
            position = span.bytes.upperBound
        }
        return ids + (try encode(cutter.take(.max), ids.count))
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
        var left = places[...]
        for number in numbers {
            if Cancellation.isRequested { throw .aborted }
            let (ids, generated) = try generatedText(of: request.messages[number], at: "messages[\(number)].token_ids")
            let position = spans.last?.bytes.upperBound ?? 0
            left = left.drop { $0.lowerBound < position }
            for place in left {
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
}

/// Cuts runs at byte offsets, from the front: each byte is copied once.
private struct RunCutter {
    private let runs: [TextRun]
    /// The current run, and how many of its bytes were taken.
    private var (index, used) = (0, 0)

    init(_ runs: [TextRun]) {
        self.runs = runs
    }

    /// The next `bytes` bytes, or all that are left.
    mutating func take(_ bytes: Int) -> [TextRun] {
        var taken: [TextRun] = []
        var room = bytes
        while room > 0, index < runs.count {
            let utf8 = runs[index].text.utf8
            let start = utf8.index(utf8.startIndex, offsetBy: used)
            let count = min(room, utf8.count - used)
            let part = utf8[start..<utf8.index(start, offsetBy: count)]
            taken.append(TextRun(text: String(decoding: part, as: UTF8.self), isTrusted: runs[index].isTrusted))
            room -= count
            used += count
            if used == utf8.count { (index, used) = (index + 1, 0) }
        }
        return taken
    }
}
