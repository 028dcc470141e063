import Basics
import ChatTemplates
import Foundation
import JSON

// Prompts of requests, with a model's tokenizer and chat template.

extension TextPipeline {
    /// Returns the rendered text of a chat, in runs that mark where special tokens are allowed.
    ///
    /// - Throws: `APIError.template` if the template refuses the messages or fails.
    func render(_ request: ChatCompletionRequest) throws(APIError) -> [TextRun] {
        guard let template else {
            throw .textUnavailable(param: "messages", message: "This model has no chat template.")
        }
        let variables = request.templateVariables(specialTokens: specialTokens)
        let runs: [TextRun]
        do throws(TemplateError) {
            runs = try template.render(variables, untrusted: trustsUserContent ? .none : request.untrustedInputs)
        } catch {
            throw .template(error.description)
        }
        guard request.continuesFinalMessage else { return runs }
        return try cut(runs, behind: request.messages.last?.json["content"]?.string ?? "")
    }

    /// Returns the runs up to the end of the last message. The template may have trimmed the message's text.
    private func cut(_ runs: [TextRun], behind content: String) throws(APIError) -> [TextRun] {
        let prompt = Array(runs.map(\.text).joined().utf8)
        let space = CharacterSet.whitespacesAndNewlines
        let trimmed = Array(content.trimmingCharacters(in: space).utf8)
        guard let start = LastOccurrence.of(trimmed, in: prompt) else {
            if Cancellation.isRequested { throw .aborted }
            throw .template("The chat template does not show the last message, so it cannot be continued.")
        }
        // White space at the content's end is kept if the template keeps it.
        let leading = content.unicodeScalars.prefix { space.contains($0) }.reduce(0) { $0 + UTF8.width($1) }
        let tail = content.utf8.dropFirst(leading + trimmed.count)
        let end = start + trimmed.count
        var room = end + (prompt[end...].starts(with: tail) ? tail.count : 0)
        var kept: [TextRun] = []
        for run in runs where room > 0 {
            let size = run.text.utf8.count
            kept.append(
                TextRun(text: String(decoding: run.text.utf8.prefix(room), as: UTF8.self), isTrusted: run.isTrusted))
            room -= size
        }
        return kept
    }

    /// Returns the ids of a prompt.
    ///
    /// A text that is much longer than the context is not tokenized completely, unless it is truncated. First its beginning is
    /// tokenized, and the number of tokens shows whether the whole text can fit. Otherwise a request that will be refused could
    /// keep a thread busy for seconds.
    ///
    /// - Throws: `APIError.promptTooLong`, or `APIError.invalid` for a token that the model does not have.
    func encode(
        _ runs: [TextRun], _ options: GenerationOptions, param: String, for model: ServedModel
    ) throws(APIError) -> [Int32] {
        // Ordinary text has 2 to 5 bytes per token.
        let sample = 8 * model.maxModelLength
        if options.truncation == nil, let beginning = runs.prefix(bytes: sample) {
            let count = tokenizer.encode(beginning, addSpecialTokens: false).count
            // The cut may change a few tokens at its position.
            let certain = count - 64
            if certain > model.maxModelLength {
                throw .promptTooLong(param: param, atLeast: certain, limit: model.maxModelLength)
            }
        }
        let all = tokenizer.encode(runs, addSpecialTokens: options.addsSpecialTokens)
        let ids = options.truncated(all, for: model)
        if let id = ids.first(where: { $0 >= model.vocabularySize }) {
            let token = tokenizer.token(of: id)?.excerpt ?? ""
            throw .invalid(
                param: param,
                message: "The token '\(token)' (\(id)) is not among the model's \(model.vocabularySize) tokens.")
        }
        return ids
    }

    /// The body of `GET /tokenizer_info`, which programs use in place of a local `tokenizer_config.json`.
    func tokenizerInfo(of model: ServedModel) -> JSONValue {
        var info: JSONObject = [
            "tokenizer_class": .string(tokenizerClass), "model_max_length": .integer(model.maxModelLength),
            "vocab_size": .integer(tokenizer.vocabularySize),
        ]
        for name in ["bos_token", "eos_token", "pad_token", "unk_token"] { info[name] = JSONValue.null }
        for (name, token) in specialTokens { info[name] = token }
        info["chat_template"] = templateSource.map(JSONValue.string) ?? .null
        return .object(info)
    }
}

extension [TextRun] {
    /// Returns the runs of about the first `bytes` bytes, cut between characters; `nil` if that is everything.
    fileprivate func prefix(bytes: Int) -> [TextRun]? {
        var room = bytes
        var runs: [TextRun] = []
        for run in self {
            let size = run.text.utf8.count
            guard size > room else {
                runs.append(run)
                room -= size
                continue
            }
            let text = run.text
            var end = text.utf8.index(text.startIndex, offsetBy: room)
            while end > text.startIndex, String.Index(end, within: text.unicodeScalars) == nil {
                end = text.utf8.index(before: end)
            }
            return runs + [TextRun(text: String(text[..<end]), isTrusted: run.isTrusted)]
        }
        return nil
    }
}
