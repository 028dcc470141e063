import Basics
import ChatTemplates
import Foundation
import Grammars
import JSON
import Tokenizers

/// The tokenizer and the chat template of a model folder. A folder without a tokenizer has none and can be used only with token
/// ids.
struct TextPipeline: Sendable {
    let tokenizer: Tokenizer
    /// `nil` if the folder has no chat template: then the chat endpoints are not available.
    let template: ChatTemplate?
    /// The source of ``template``; `nil` without one.
    let templateSource: String?
    /// `bos_token` and so on, the variables of templates.
    let specialTokens: JSONObject
    /// The class of the tokenizer in Python programs.
    let tokenizerClass: String
    let grammars: GrammarCompiler
    /// The syntax of the model's replies, derived from the chat template.
    var outputSyntax: ChatOutputSyntax
    /// Whether the template shows system messages behind the beginning of a conversation.
    let readsLateSystemMessages: Bool
    /// Whether special tokens in the text of users and tools are parsed.
    var trustsUserContent = false
    /// Warnings about the folder that do not prevent it from being served.
    let warnings: [String]

    /// Reads tokenizer.json, tokenizer_config.json, special_tokens_map.json and chat_template.jinja.
    ///
    /// - Returns: `nil` if the folder has no tokenizer.json.
    /// - Throws: `TextPipelineError` if a file exists but cannot be used.
    init?(directory: URL) throws(TextPipelineError) {
        let tokenizerURL = directory.appending(path: "tokenizer.json")
        guard RegularFile.exists(tokenizerURL.path) else { return nil }
        let configuration = try Self.object(directory.appending(path: "tokenizer_config.json"))
        let map = try Self.object(directory.appending(path: "special_tokens_map.json"))
        specialTokens = Self.specialTokens(configuration, map)
        tokenizerClass = configuration["tokenizer_class"]?.string ?? "PreTrainedTokenizerFast"
        templateSource = try Self.templateSource(directory, configuration)
        outputSyntax = templateSource.map(ChatOutputSyntax.init(template:)) ?? ChatOutputSyntax()
        template = try templateSource.map { source throws(TextPipelineError) in try Self.template(source, directory) }
        readsLateSystemMessages =
            template.map { [specialTokens] in Self.readsLateSystemMessages($0, specialTokens: specialTokens) } ?? true
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(contentsOf: tokenizerURL, guarding: template?.literals ?? [])
        } catch {
            throw TextPipelineError(file: tokenizerURL.path, reason: String(describing: error))
        }
        // Constrained text has no special tokens.
        var markers: [String: Int32] = [:]
        for name in GrammarSource.markers { markers[name] = tokenizer.id(of: name) }
        grammars = GrammarCompiler(markers: markers) { [tokenizer] in
            tokenizer.vocabularyBytes(skipSpecialTokens: true)
        }
        warnings = TemplateMarkers.warnings(templateSource ?? "", tokenizer, specialTokens)
    }

    private static func specialTokens(_ configuration: JSONObject, _ map: JSONObject) -> JSONObject {
        var tokens = JSONObject()
        for source in [configuration, map] {
            for (name, value) in source where name.hasSuffix("_token") {
                // Either the text itself or an object that describes the token.
                if let text = value.string ?? value["content"]?.string { tokens[name] = .string(text) }
            }
        }
        return tokens
    }

    private static func templateSource(
        _ directory: URL, _ configuration: JSONObject
    ) throws(TextPipelineError) -> String? {
        let path = directory.appending(path: "chat_template.jinja").path
        if let bytes = try read(path, atMost: 1 << 20) {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw TextPipelineError(file: path, reason: "not valid UTF-8")
            }
            return text
        }
        if let templates = configuration["chat_template"]?.array {
            // Several named templates; the one named "default" is used for chat.
            return templates.first { $0["name"] == "default" }?["template"]?.string
        }
        return configuration["chat_template"]?.string
    }

    private static func template(_ source: String, _ directory: URL) throws(TextPipelineError) -> ChatTemplate {
        do throws(TemplateError) {
            return try ChatTemplate(source: source)
        } catch {
            throw TextPipelineError(file: directory.path, reason: String(describing: error))
        }
    }

    /// The file's bytes; `nil` when there is none.
    private static func read(_ path: String, atMost limit: Int) throws(TextPipelineError) -> [UInt8]? {
        do throws(RegularFile.Failure) {
            return try RegularFile.readIfPresent(path, atMost: limit)
        } catch {
            throw TextPipelineError(file: path, reason: error.description)
        }
    }

    private static func object(_ url: URL) throws(TextPipelineError) -> JSONObject {
        // Some files list all added tokens again.
        guard let bytes = try read(url.path, atMost: 16 << 20) else { return [:] }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw TextPipelineError(file: url.path, reason: error.description)
        }
        guard let object = value.object else { throw TextPipelineError(file: url.path, reason: "must be an object") }
        return object
    }
}

/// A text file of the model folder cannot be used.
struct TextPipelineError: Error, CustomStringConvertible {
    let file: String
    let reason: String

    var description: String { "\(file): \(reason)" }
}
