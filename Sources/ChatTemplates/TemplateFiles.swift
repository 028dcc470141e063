import Basics
import Foundation
import JSON

/// The chat template of a model folder and its variables, from `chat_template.jinja`, `tokenizer_config.json` and
/// `special_tokens_map.json`. All files are optional.
package struct TemplateFiles {
    /// The source of the chat template, or `nil` if the folder has none.
    package let source: String?
    /// `bos_token` and similar variables of templates.
    package let specialTokens: JSONObject
    /// The name of the tokenizer class in Python.
    package let tokenizerClass: String?

    /// An error for a file that exists but cannot be used.
    package struct Failure: Error, CustomStringConvertible {
        package let file: String
        package let reason: String

        package var description: String { "\(file): \(reason)" }
    }

    /// - Throws: `Failure`, with the file.
    package init(directory: URL) throws(Failure) {
        let configuration = try Self.object(directory.appending(path: "tokenizer_config.json"))
        let map = try Self.object(directory.appending(path: "special_tokens_map.json"))
        var tokens = JSONObject()
        for members in [configuration, map] {
            for (name, value) in members where name.hasSuffix("_token") {
                // The value is either the text itself or an object that describes the token.
                if let text = value.string ?? value["content"]?.string { tokens[name] = .string(text) }
            }
        }
        specialTokens = tokens
        tokenizerClass = configuration["tokenizer_class"]?.string
        source = try Self.source(directory, configuration)
    }

    private static func source(_ directory: URL, _ configuration: JSONObject) throws(Failure) -> String? {
        let path = directory.appending(path: "chat_template.jinja").path
        if let bytes = try read(path, atMost: 1 << 20) {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Failure(file: path, reason: "not valid UTF-8")
            }
            return text
        }
        if let templates = configuration["chat_template"]?.array {
            // There are several named templates. The one named "default" is used for chat.
            return templates.first { $0["name"] == "default" }?["template"]?.string
        }
        return configuration["chat_template"]?.string
    }

    private static func object(_ url: URL) throws(Failure) -> JSONObject {
        // Some files repeat all added tokens.
        guard let bytes = try read(url.path, atMost: 16 << 20) else { return [:] }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw Failure(file: url.path, reason: error.description)
        }
        guard let object = value.object else { throw Failure(file: url.path, reason: "must be an object") }
        return object
    }

    /// Returns the bytes of a file, or `nil` if it does not exist.
    private static func read(_ path: String, atMost limit: Int) throws(Failure) -> [UInt8]? {
        do throws(RegularFile.Failure) {
            return try RegularFile.readIfPresent(path, atMost: limit)
        } catch {
            throw Failure(file: path, reason: error.description)
        }
    }
}
