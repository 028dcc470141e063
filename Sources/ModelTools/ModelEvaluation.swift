import Basics
import Checkpoints
import Engine
import Foundation
import JSON
import Logging
import Tokenizers

/// Compares a model with a reference on a text, token by token, to measure the loss from quantization.
///
/// Both models are in memory at the same time. The text is cut into windows, which are computed without the text before them; the
/// first token of a window is not predicted.
public struct ModelEvaluation {
    private let options: EngineOptions
    private let reference: EngineOptions
    private let context: Int

    /// The allowed window lengths in tokens.
    public static let contexts = 2...131_072
    /// The maximum size of a file of text or of tokens in bytes.
    private static let largestFile = 256 << 20

    /// - Parameters:
    ///   - options: the model.
    ///   - reference: the reference model.
    ///   - context: the tokens of a window, in ``contexts``.
    public init(options: EngineOptions, reference: EngineOptions, context: Int) {
        var (options, reference) = (options, reference)
        (options.maxModelLength, reference.maxModelLength) = (context, context)
        self.options = options
        self.reference = reference
        self.context = context
    }

    /// Returns the tokens of a text file, encoded with the reference's tokenizer.
    ///
    /// - Throws: `ToolError.argument` for a file that is not UTF-8 or is too large, and if the model has a tokenizer that encodes
    ///   the text differently; otherwise the tokenizer's error.
    public func tokens(ofText path: String) throws -> [Int32] {
        guard let text = String(validating: try Self.read(path), as: UTF8.self) else {
            throw ToolError.argument("\(path) is not UTF-8")
        }
        let ids = try Self.tokenizer(of: reference.modelDirectory).encode(text, addSpecialTokens: true)
        // A model without a usable tokenizer can be compared too.
        if options.modelDirectory != reference.modelDirectory,
            let own = try? Self.tokenizer(of: options.modelDirectory).encode(text, addSpecialTokens: true), own != ids
        {
            throw ToolError.argument(
                "the tokenizers of the two models encode \(path) differently; to compare them anyway, give --tokens")
        }
        return ids
    }

    private static func tokenizer(of model: URL) throws -> Tokenizer {
        let file = try ModelFiles(model).directory.appending(path: "tokenizer.json")
        let embedded =
            FileManager.default.fileExists(atPath: file.path)
            ? nil : try EmbeddedText(model: model)?.tokenizer(guarding: [])
        return try embedded ?? Tokenizer(contentsOf: file)
    }

    /// Returns the token ids from a file with a JSON array.
    ///
    /// - Throws: `ToolError.argument` for any other content, or a file that cannot be read.
    public func tokens(ofIDs path: String) throws -> [Int32] {
        let bytes = try Self.read(path)
        guard case .array(let ids)? = try? JSONValue(parsing: bytes) else {
            throw ToolError.argument("\(path) is not a JSON array of token ids")
        }
        return try ids.map { id in
            guard let id = id.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
                throw ToolError.argument("\(path) is not a JSON array of token ids")
            }
            return id
        }
    }

    /// Computes all windows and returns the report.
    ///
    /// - Parameters:
    ///   - tokens: the tokens of the text, at least two.
    ///   - windows: the maximum number of windows; the rest of the text is ignored.
    ///   - progress: called with the completed fraction, in 0...1.
    /// - Throws: `ToolError` if the models do not match each other or the tokens, or the engine's error for a model that cannot
    ///   be served.
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
        let positions = min(model.maxPositions, other.maxPositions)
        if min(context, tokens.count) > positions {
            report.warning = "windows of \(context) tokens exceed a model's max_position_embeddings (\(positions))"
        }
        // A window with one token predicts nothing.
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
