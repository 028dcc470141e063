import Basics
import Checkpoints
import Foundation
import Tokenizers

/// The tokenizer and the chat template that a GGUF file contains.
public struct EmbeddedText {
    private let path: String
    private let vocabulary: ByteLevelVocabulary
    /// The source of the chat template, or `nil` if there is none.
    public let chatTemplate: String?
    /// The texts of special tokens, with the names that templates use for them, such as `bos_token`.
    public let specialTokens: [(name: String, text: String)]

    /// - Parameter model: A model folder or a GGUF file.
    /// - Returns: `nil` if the model is not a GGUF file, or if the file contains no tokenizer.
    /// - Throws: `EngineError.model` if the file cannot be used or its tokenizer is not supported.
    public init?(model: URL) throws(EngineError) {
        do {
            let files = try ModelFiles(model)
            guard let gguf = files.gguf, let stored = try files.vocabulary() else { return nil }
            path = gguf.url.path
            vocabulary = try ByteLevelVocabulary(stored)
            chatTemplate = stored.chatTemplate
            specialTokens = [
                ("bos_token", stored.bosID), ("eos_token", stored.eosID), ("pad_token", stored.padID),
            ].compactMap { name, id in
                stored.text(of: id).map { (name, $0) }
            }
            withExtendedLifetime(gguf) {}
        } catch let error as TokenizerError {
            throw .model("cannot use \(model.path): \(error.reason.printable())")
        } catch {
            throw .model("\(error)")
        }
    }

    /// Returns the source of the chat template in a GGUF file, for use with a tokenizer that is not the file's own.
    ///
    /// - Parameter model: A model folder or a GGUF file.
    /// - Returns: `nil` if the model is not a GGUF file, or if the file contains no template.
    /// - Throws: `EngineError.model` if the file cannot be used.
    public static func chatTemplate(of model: URL) throws(EngineError) -> String? {
        do throws(CheckpointError) {
            return try ModelFiles(model).chatTemplate()
        } catch {
            throw .model("\(error)")
        }
    }

    /// Returns the tokenizer of the file.
    ///
    /// - Parameter literals: As in `Tokenizer.init(contentsOf:guarding:)`.
    /// - Throws: `EngineError.model` if the tokens contradict each other.
    public func tokenizer(guarding literals: [String]) throws(EngineError) -> Tokenizer {
        do throws(TokenizerError) {
            return try Tokenizer(vocabulary, guarding: literals)
        } catch {
            throw .model("cannot use \(path): \(error.reason.printable())")
        }
    }
}

extension ByteLevelVocabulary {
    /// Copies the tokens and merges of a GGUF file.
    fileprivate init(_ stored: GGUFVocabulary) throws(TokenizerError) {
        try self.init(preTokenizer: stored.preTokenizer)
        var kinds = stored.kinds?.makeIterator()
        for case .string(let token) in stored.tokens {
            var number = GGUFVocabulary.Kind.normal.rawValue
            if case .integer(let stored)? = kinds?.next() { number = stored }
            let kind: Kind =
                switch GGUFVocabulary.Kind(rawValue: number) {
                case .normal: .normal
                case .control: .special
                case .userDefined: .added
                case .unused: .unused
                case .unknown, .byte, nil: throw .unsupported(member: "token_type", name: "\(number)")
                }
            try append(token, kind)
        }
        for case .string(let merge) in stored.merges { try appendMerge(merge) }
        if stored.addsBOS, let id = stored.bosID { prefix = [Int32(clamping: id)] }
        if stored.addsEOS, let id = stored.eosID { suffix = [Int32(clamping: id)] }
    }
}

extension GGUFVocabulary {
    /// Returns the text of a token, or `nil` if there is none. O(tokens).
    fileprivate func text(of id: Int?) -> String? {
        guard let id, id >= 0, case .string(let bytes)? = tokens.dropFirst(id).first(where: { _ in true }) else {
            return nil
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
