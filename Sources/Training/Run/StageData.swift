import Checkpoints
import Foundation

/// Opens and checks the data files of all stages. A file used by several stages is opened once.
struct StageData {
    /// The data of one stage.
    enum Stage {
        case batches(BatchFile)
        case documents([DocumentSource], DocumentLoader.Options)
    }

    private let config: ModelConfig
    /// The folder with the tokenizer files.
    private let folder: URL
    private var tokenizer: DocumentTokenizer?
    private var lineFiles: [URL: LineFile] = [:]
    private var tokenFiles: [URL: TokenFile] = [:]

    init(config: ModelConfig, folder: URL) {
        (self.config, self.folder) = (config, folder)
    }

    /// Whether any opened file needs a tokenizer.
    var usesTokenizer: Bool { tokenizer != nil }

    /// Opens the files of a stage.
    ///
    /// - Throws: an error with the name of the file, and its line or tensor.
    mutating func open(_ data: TrainingStage.Data) throws -> Stage {
        switch data {
        case .batches(let url): return .batches(try BatchFile(url, vocabularySize: config.vocabularySize))
        case .documents(let sources, let options): return .documents(try sources.map { try open($0) }, options)
        }
    }

    /// Opens one file of documents.
    ///
    /// - Throws: the same errors as ``open(_:)-(TrainingStage.Data)``.
    mutating func open(_ source: TrainingStage.Source) throws -> DocumentSource {
        let content: DocumentSource.Content
        switch source.format {
        case .tokens:
            let file =
                try tokenFiles[source.url] ?? TokenFile(source.url, vocabularySize: config.vocabularySize)
            tokenFiles[source.url] = file
            content = .tokens(file)
        case .lines:
            let tokenizer = try self.tokenizer ?? DocumentTokenizer(folder: folder, config: config)
            let file = try lineFiles[source.url] ?? LineFile(source.url)
            (self.tokenizer, lineFiles[source.url]) = (tokenizer, file)
            content = .lines(file, tokenizer)
        }
        return DocumentSource(content: content, weight: source.weight, targets: source.targets)
    }
}
