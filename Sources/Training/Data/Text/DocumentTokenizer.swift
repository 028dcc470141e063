import Basics
import ChatTemplates
import Checkpoints
import Foundation
import JSON
import Tokenizers

/// Converts documents of JSONL files into tokens and target weights, with the tokenizer and chat template of a model folder.
struct DocumentTokenizer: Sendable {
    /// The tokens of a chat that are targets. For a text, all tokens are targets.
    enum Targets: String, Sendable, CaseIterable {
        /// The tokens that the assistant generates: reasoning, tool calls, answer, and the token that ends the turn.
        case assistant
        case all
    }

    /// The fixed time for templates, so that a document gives the same tokens when a run is resumed: 2025-01-01, 12:00 UTC.
    private static let now = Date(timeIntervalSince1970: 1_735_732_800)

    /// The files of a model folder that the tokenizer reads, as far as they exist.
    static let files = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
        "generation_config.json",
    ]

    let tokenizer: Tokenizer
    /// The tokens that end a turn.
    let endTokens: Set<Int32>
    /// The token that ends a text, or `nil` if the model has none.
    private let endOfText: Int32?
    private let vocabularySize: Int
    private let template: ChatTemplate?
    private let specialTokens: JSONObject
    private let folder: String

    /// - Throws: `TrainingError.file`, with the file that is missing or cannot be used.
    init(folder: URL, config: ModelConfig) throws(TrainingError) {
        let url = folder.appending(path: "tokenizer.json")
        let files: TemplateFiles
        do throws(TemplateFiles.Failure) { files = try TemplateFiles(directory: folder) } catch {
            throw .file(error.file, reason: error.reason)
        }
        do throws(TemplateError) { template = try files.source.map(ChatTemplate.init(source:)) } catch {
            throw .file(folder.path, reason: error.description)
        }
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(contentsOf: url, guarding: template?.literals ?? [])
        } catch {
            throw .file(url.path, reason: error.description)
        }
        specialTokens = files.specialTokens
        let generation: GenerationConfig
        do throws(ModelConfigError) { generation = try GenerationConfig(directory: folder) } catch {
            throw .file(folder.path, reason: "\(error)")
        }
        let named = specialTokens["eos_token"]?.string.flatMap { [tokenizer] in tokenizer.id(of: $0) }
        let ids = generation.endOfSequenceIDs(of: config)
        endOfText = named ?? ids.first
        endTokens = Set(ids + [named].compactMap(\.self))
        vocabularySize = config.vocabularySize
        self.folder = folder.path
    }

    /// Returns the tokens of a document and their weights.
    ///
    /// - Throws: `TextDocument.Failure`.
    func document(_ document: TextDocument, targets: Targets) throws(TextDocument.Failure) -> Document {
        var result: Document
        switch document.content {
        case .text(let text):
            // Special tokens that are spelled out in a text are treated as ordinary text.
            var ids = tokenizer.encode(text, addSpecialTokens: true, specialTokensAsText: true)
            if let endOfText, ids.last != endOfText { ids.append(endOfText) }
            result = Document(ids: ids)
        case .chat(let chat):
            switch targets {
            case .assistant: result = try self.document(chat)
            case .all:
                // Gives the same tokens as for `assistant`, except when the assistant's turns cannot be found.
                if let found = try? self.document(chat) {
                    result = found
                } else {
                    let whole = try render(chat, chat.messages.count)
                    result = Document(
                        ids: tokenizer.encode(whole.runs(0..<whole.bytes.count), addSpecialTokens: false))
                }
                result.weights = nil
            }
        }
        if let id = result.ids.first(where: { $0 >= vocabularySize }) {
            throw TextDocument.Failure(
                reason: "has the token \(id), which is not among the model's \(vocabularySize) tokens")
        }
        guard result.count > 0 else { throw TextDocument.Failure(reason: "has no token") }
        return result
    }
}

// A turn of the assistant is the text after the prompt that the server would give to the model. Therefore prompt and turn are
// tokenized separately, as in the server. Example, with the turn in brackets:
//
//     <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n[Hello!<|im_end|>]\n

extension DocumentTokenizer {
    private typealias Failure = TextDocument.Failure

    private func document(_ chat: TextDocument.Chat) throws(TextDocument.Failure) -> Document {
        let whole = try render(chat, chat.messages.count)
        var result = Document(ids: [], weights: [])
        // The end of the part of `whole` that is already tokenized.
        var position = 0
        for (index, message) in chat.messages.enumerated() where message.isAssistant {
            let isLast = index == chat.messages.count - 1
            let turn = isLast ? whole : try render(chat, index + 1)
            guard whole.starts(with: turn) else {
                throw refused("renders messages[\(index)] differently when other messages follow it")
            }
            var prompt = try render(chat, index, prompts: true)
            var (start, weight) = (prompt.bytes.count, message.weight)
            if !turn.starts(with: prompt) {
                // The prompt closes the reasoning before it begins, and the rendered turn does not show this.
                var open = chat
                open.arguments["enable_thinking"] = nil
                let plain = try render(open, index, prompts: true)
                guard turn.starts(with: plain), prompt.starts(with: plain) else {
                    throw refused("has a generation prompt that messages[\(index)] does not begin with")
                }
                start = plain.bytes.count
                guard start >= position else { throw refused(Self.shortPrompt) }
                if isLast {
                    append(
                        whole.runs(position..<start) + prompt.runs(start..<prompt.bytes.count), weight: 0, to: &result)
                    position = start
                } else {
                    // At inference, the model would have had a different prompt.
                    weight = 0
                }
                prompt = plain
            }
            guard start >= position else { throw refused(Self.shortPrompt) }
            append(whole.runs(position..<start), weight: 0, to: &result)
            append(turn.runs(start..<turn.bytes.count), weight: weight, isTurn: true, to: &result)
            position = turn.bytes.count
        }
        append(whole.runs(position..<whole.bytes.count), weight: 0, to: &result)
        return result
    }

    private static let shortPrompt = "leaves out earlier messages in the generation prompt"

    /// - Parameter isTurn: if true, `weight` applies only to the tokens up to the last token that ends a turn.
    private func append(_ runs: [TextRun], weight: Float, isTurn: Bool = false, to document: inout Document) {
        let ids = tokenizer.encode(runs, addSpecialTokens: false)
        let end = isTurn ? ids.lastIndex(where: endTokens.contains).map { $0 + 1 } ?? ids.count : ids.count
        document.ids += ids
        document.weights? += ids.indices.map { $0 < end ? weight : 0 }
    }

    private func refused(_ reason: String) -> TextDocument.Failure {
        Failure(reason: "the chat template of \(folder) \(reason); use targets all, or another template")
    }

    /// Renders the first `count` messages.
    ///
    /// - Parameter prompts: whether the template adds the prompt for the assistant's next turn.
    private func render(
        _ chat: TextDocument.Chat, _ count: Int, prompts: Bool = false
    ) throws(TextDocument.Failure) -> RenderedChat {
        guard let template else { throw Failure(reason: "has messages, but \(folder) has no chat template") }
        var variables = specialTokens
        for (name, value) in chat.arguments { variables[name] = value }
        variables["messages"] = .array(chat.messages[..<count].map(\.json))
        // Templates compare these variables with none, so they are always defined.
        variables["tools"] = chat.tools.isEmpty ? JSONValue.null : .array(chat.tools)
        variables["documents"] = JSONValue.null
        variables["add_generation_prompt"] = .bool(prompts)
        let untrusted = UntrustedInputs(
            variables: ["tools", "documents"],
            messages: Set((0..<count).filter { chat.messages[$0].isUntrusted }))
        do throws(TemplateError) {
            return RenderedChat(try template.render(variables, untrusted: untrusted, now: Self.now))
        } catch {
            throw Failure(reason: error.description)
        }
    }
}

/// The text of a chat in UTF-8, and the parts of it in which special tokens are recognized.
private struct RenderedChat {
    let bytes: [UInt8]
    private let all: [TextRun]

    init(_ runs: [TextRun]) {
        all = runs
        bytes = runs.flatMap { Array($0.text.utf8) }
    }

    func starts(with other: RenderedChat) -> Bool { bytes.starts(with: other.bytes) }

    /// Returns the runs in a range of bytes. The range must begin and end between characters.
    func runs(_ range: Range<Int>) -> [TextRun] {
        var parts: [TextRun] = []
        var start = 0
        for run in all {
            let end = start + run.text.utf8.count
            let common = max(start, range.lowerBound)..<max(min(end, range.upperBound), max(start, range.lowerBound))
            if !common.isEmpty {
                parts.append(TextRun(text: String(decoding: bytes[common], as: UTF8.self), isTrusted: run.isTrusted))
            }
            start = end
        }
        return parts
    }
}
