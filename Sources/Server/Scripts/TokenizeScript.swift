import Foundation
import JSON
import Tokenizers

/// Runs a tokenizer for scripts. Each input line and each output line is a JSON object.
///
/// - `{"text": ..., "add_special_tokens": true, "special_as_text": false}` gives `{"ids": [...]}`.
/// - `{"ids": [...], "skip_special_tokens": false}` gives `{"text": ..., "pieces": [...]}`. The pieces are the text that
///   streaming sends for each id, then the rest at the end.
///
/// The values above are the defaults of absent members. Any other line gives `{"error": ...}`.
public struct TokenizeScript: LineScript {
    private let tokenizer: Tokenizer

    /// - Parameter path: a `tokenizer.json`, or a folder that contains one.
    /// - Throws: `ScriptError` if the tokenizer cannot be loaded.
    public init(path: String) throws(ScriptError) {
        var url = URL(fileURLWithPath: path)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            url.append(path: "tokenizer.json")
        }
        do throws(TokenizerError) { tokenizer = try Tokenizer(contentsOf: url) } catch {
            throw ScriptError(reason: error.description)
        }
    }

    /// Returns the ids of the text in `line`, or the text of its ids.
    public func answer(_ line: [UInt8]) -> JSONLine {
        do throws(APIError) {
            return JSONLine(try answer(JSONValue(requestBody: line)))
        } catch {
            return JSONLine(["error": .string(error.message)])
        }
    }

    private func answer(_ json: JSONValue) throws(APIError) -> JSONValue {
        var reader = try FieldReader(json, ParameterPolicy(isStrict: true))
        if let ids = reader.value("ids") {
            // An id without a token is not an error: it adds no text.
            let ids = try ids.requireTokenIDs(below: Int(Int32.max), at: "ids")
            let skips = try reader.bool("skip_special_tokens") ?? false
            try reader.finish()
            return decode(ids, skipSpecialTokens: skips)
        }
        guard let text = try reader.string("text") else { throw .missing(param: "text") }
        let adds = try reader.bool("add_special_tokens") ?? true
        let asText = try reader.bool("special_as_text") ?? false
        try reader.finish()
        return ["ids": .ids(tokenizer.encode(text, addSpecialTokens: adds, specialTokensAsText: asText))]
    }

    private func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> JSONValue {
        var detokenizer = IncrementalDetokenizer(tokenizer: tokenizer, skipSpecialTokens: skipSpecialTokens)
        var pieces: [JSONValue] = []
        for id in ids { pieces.append(.string(String(decoding: detokenizer.append(id), as: UTF8.self))) }
        pieces.append(.string(String(decoding: detokenizer.flush(), as: UTF8.self)))
        let text = tokenizer.decode(ids, skipSpecialTokens: skipSpecialTokens)
        return ["text": .string(text), "pieces": .array(pieces)]
    }
}
