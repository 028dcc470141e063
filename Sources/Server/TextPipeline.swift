import Basics
import ChatTemplates
import Engine
import Foundation
import Grammars
import JSON
import Tokenizers

/// The tokenizer and the chat template of a model. A model without a tokenizer has no pipeline and can be used only with token
/// ids.
struct TextPipeline: Sendable {
    let tokenizer: Tokenizer
    /// The chat template; `nil` if the model has none. The chat endpoints are then not available.
    let template: ChatTemplate?
    /// The source of ``template``; `nil` without one.
    let templateSource: String?
    /// The template variables for special tokens, such as `bos_token`.
    let specialTokens: JSONObject
    /// The class of the tokenizer in Python programs.
    let tokenizerClass: String
    let grammars: GrammarCompiler
    /// The syntax of the model's replies, derived from the chat template.
    var outputSyntax: ChatOutputSyntax
    /// Whether the template shows system messages after the beginning of a conversation.
    let readsLateSystemMessages: Bool
    /// Whether special tokens in the text of users and tools are parsed.
    var trustsUserContent = false
    /// Warnings about the model that do not prevent it from being served.
    let warnings: [String]

    /// Reads the text files of a model, or without them, the text data in a GGUF file.
    ///
    /// - Parameters:
    ///   - model: a model folder or a GGUF file.
    ///   - tokenizer: another folder with text files, in place of the model's.
    /// - Returns: `nil` if the model has no tokenizer.
    /// - Throws: `TextPipelineError` if a file exists but cannot be used, or if `tokenizer` has none.
    init?(model: URL, tokenizer: URL? = nil) throws(TextPipelineError) {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: model.path, isDirectory: &isFolder)
        let folder = tokenizer ?? (exists && !isFolder.boolValue ? model.deletingLastPathComponent() : model)
        if RegularFile.exists(folder.appending(path: "tokenizer.json").path) {
            // The tokenizer in a GGUF file is not read: it may be of a kind that is not supported.
            let template = try Self.read { () throws(EngineError) in try EmbeddedText.chatTemplate(of: model) }
            if let pipeline = try TextPipeline(directory: folder, template: template) {
                self = pipeline
                return
            }
        }
        if let tokenizer {
            throw TextPipelineError(file: tokenizer.path, reason: "no tokenizer.json in it")
        }
        let embedded = try Self.read { () throws(EngineError) in try EmbeddedText(model: model) }
        guard let embedded else { return nil }
        var special = JSONObject()
        for (name, text) in embedded.specialTokens { special[name] = .string(text) }
        try self.init(
            specialTokens: special, tokenizerClass: nil, template: embedded.chatTemplate, file: model.path
        ) { literals throws(TextPipelineError) in
            try Self.read { () throws(EngineError) in try embedded.tokenizer(guarding: literals) }
        }
    }

    private static func read<Value>(_ body: () throws(EngineError) -> Value) throws(TextPipelineError) -> Value {
        do throws(EngineError) { return try body() } catch {
            throw TextPipelineError(file: nil, reason: error.description)
        }
    }

    /// Reads tokenizer.json, tokenizer_config.json, special_tokens_map.json and chat_template.jinja.
    ///
    /// - Parameter template: the source for a folder without a chat template.
    /// - Returns: `nil` if the folder has no tokenizer.json.
    /// - Throws: `TextPipelineError` if a file exists but cannot be used.
    init?(directory: URL, template: String? = nil) throws(TextPipelineError) {
        let tokenizerURL = directory.appending(path: "tokenizer.json")
        guard RegularFile.exists(tokenizerURL.path) else { return nil }
        let files: TemplateFiles
        do throws(TemplateFiles.Failure) { files = try TemplateFiles(directory: directory) } catch {
            throw TextPipelineError(file: error.file, reason: error.reason)
        }
        try self.init(
            specialTokens: files.specialTokens, tokenizerClass: files.tokenizerClass,
            template: files.source ?? template, file: directory.path
        ) { literals throws(TextPipelineError) in
            do throws(TokenizerError) {
                return try Tokenizer(contentsOf: tokenizerURL, guarding: literals)
            } catch {
                throw TextPipelineError(file: tokenizerURL.path, reason: error.reason)
            }
        }
    }

    /// - Parameters:
    ///   - file: where the template is, for its errors.
    ///   - makeTokenizer: creates the tokenizer, given the literals of the template.
    private init(
        specialTokens: JSONObject, tokenizerClass: String?, template source: String?, file: String,
        makeTokenizer: (_ literals: [String]) throws(TextPipelineError) -> Tokenizer
    ) throws(TextPipelineError) {
        self.specialTokens = specialTokens
        self.tokenizerClass = tokenizerClass ?? "PreTrainedTokenizerFast"
        templateSource = source
        outputSyntax = source.map(ChatOutputSyntax.init(template:)) ?? ChatOutputSyntax()
        template = try source.map { source throws(TextPipelineError) in try Self.template(source, file) }
        readsLateSystemMessages =
            template.map { Self.readsLateSystemMessages($0, specialTokens: specialTokens) } ?? true
        tokenizer = try makeTokenizer(template?.literals ?? [])
        // Constrained text has no special tokens.
        var markers: [String: Int32] = [:]
        for name in GrammarSource.markers { markers[name] = tokenizer.id(of: name) }
        grammars = GrammarCompiler(markers: markers) { [tokenizer] in
            tokenizer.vocabularyBytes(skipSpecialTokens: true)
        }
        warnings = TemplateMarkers.warnings(source ?? "", tokenizer, specialTokens)
    }

    private static func template(_ source: String, _ file: String) throws(TextPipelineError) -> ChatTemplate {
        do throws(TemplateError) {
            return try ChatTemplate(source: source)
        } catch {
            throw TextPipelineError(file: file, reason: String(describing: error))
        }
    }
}

/// The error of a text file of the model that cannot be used.
struct TextPipelineError: Error, CustomStringConvertible {
    /// The path of the file; `nil` if the reason names it.
    let file: String?
    let reason: String

    var description: String { file.map { "\($0): \(reason)" } ?? reason }
}
