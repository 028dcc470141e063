import Basics
import Checkpoints
import Engine
import Foundation
import JSON
import Logging
import Tokenizers

/// Compares a checkpoint with another one over a text, token by token: what a quantization costs.
///
/// Both models are loaded at the same time. The text is cut into windows that are computed on their own, each without the text
/// before it; the first token of a window is not predicted.
public struct ModelEvaluation {
    private let options: EngineOptions
    private let reference: EngineOptions
    private let context: Int

    /// The lengths of windows in tokens.
    public static let contexts = 2...131_072
    /// The largest file of text or of tokens in bytes.
    private static let largestFile = 256 << 20

    /// - Parameters:
    ///   - options: the model.
    ///   - reference: the model that it is compared with.
    ///   - context: tokens of a window, in ``contexts``.
    public init(options: EngineOptions, reference: EngineOptions, context: Int) {
        var (options, reference) = (options, reference)
        (options.maxModelLength, reference.maxModelLength) = (context, context)
        self.options = options
        self.reference = reference
        self.context = context
    }

    /// The tokens of a text file by the tokenizer of the reference.
    ///
    /// - Throws: `ToolError.argument` for a file that is not UTF-8 or too large, or the tokenizer's error.
    public func tokens(ofText path: String) throws -> [Int32] {
        guard let text = String(validating: try Self.read(path), as: UTF8.self) else {
            throw ToolError.argument("\(path) is not UTF-8")
        }
        let directory = try ModelFiles(reference.modelDirectory).directory
        let file = directory.appending(path: "tokenizer.json")
        let tokenizer =
            FileManager.default.fileExists(atPath: file.path)
            ? nil : try EmbeddedText(model: reference.modelDirectory)?.tokenizer(guarding: [])
        return try (tokenizer ?? Tokenizer(contentsOf: file)).encode(text, addSpecialTokens: true)
    }

    /// The tokens of a file with a JSON array of ids.
    ///
    /// - Throws: `ToolError.argument` for any other content.
    public func tokens(ofIDs path: String) throws -> [Int32] {
        guard case .array(let ids)? = try? JSONValue(parsing: Self.read(path)) else {
            throw ToolError.argument("\(path) is not a JSON array of token ids")
        }
        return try ids.map { id in
            guard let id = id.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
                throw ToolError.argument("\(path) is not a JSON array of token ids")
            }
            return id
        }
    }

    /// Computes all windows.
    ///
    /// - Parameters:
    ///   - tokens: the text, at least two tokens.
    ///   - windows: the most windows; the rest of the text is left out.
    ///   - progress: called with the completed fraction, in 0...1.
    /// - Throws: `ToolError` if the models do not fit each other or the tokens, or as the engine does for a model that cannot be
    ///   served.
    public func run(
        tokens: [Int32], windows: Int = .max, progress: (Double) -> Void = { _ in }
    ) throws -> EvaluationReport {
        guard tokens.count >= 2 else { throw ToolError.argument("a text of at least two tokens is needed") }
        let (model, other) = (try WindowRunner(options), try WindowRunner(reference))
        guard model.vocabularySize == other.vocabularySize else {
            throw ToolError.argument(
                """
                the vocabularies differ: \(model.vocabularySize) tokens, and \(other.vocabularySize) of the reference
                """)
        }
        guard let last = tokens.max(), last < model.vocabularySize else {
            throw ToolError.argument("a token id is not below \(model.vocabularySize), the size of the vocabulary")
        }
        guard model.fits(tokens: min(context, tokens.count)), other.fits(tokens: min(context, tokens.count)) else {
            throw ToolError.argument("the models or the memory have no room for windows of \(context) tokens")
        }
        var report = EvaluationReport()
        report.context = context
        // A window of one token predicts nothing.
        let starts = Array(stride(from: 0, to: tokens.count - 1, by: context)).prefix(windows)
        for (number, start) in starts.enumerated() {
            let window = Array(tokens[start..<min(start + context, tokens.count)])
            for score in try model.scores(of: window, against: other) { report.add(score) }
            report.windows += 1
            progress(Double(number + 1) / Double(starts.count))
        }
        return report
    }

    private static func read(_ path: String) throws -> [UInt8] {
        do throws(RegularFile.Failure) {
            return try RegularFile.read(path, atMost: largestFile)
        } catch {
            throw ToolError.argument("\(path): \(error)")
        }
    }
}
