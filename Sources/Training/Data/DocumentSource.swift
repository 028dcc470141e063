/// One source of documents of a stage.
struct DocumentSource {
    enum Content {
        case tokens(TokenFile)
        case lines(LineFile, DocumentTokenizer)
    }

    var content: Content
    /// The relative share of this source's tokens among all sources.
    var weight = 1.0
    var targets = DocumentTokenizer.Targets.assistant

    /// The number of documents.
    var count: Int {
        switch content {
        case .tokens(let file): file.documents
        case .lines(let file, _): file.count
        }
    }

    /// The path of the file.
    var path: String {
        switch content {
        case .tokens(let file): file.path
        case .lines(let file, _): file.path
        }
    }

    /// Returns the document at an index in 0 ..< ``count``.
    ///
    /// - Throws: `TrainingError.line` if the line cannot be used.
    func document(_ index: Int) throws(TrainingError) -> Document {
        switch content {
        case .tokens(let file):
            var document = file.document(index)
            if targets == .all { document.weights = nil }
            return document
        case .lines(let file, let tokenizer):
            return try Self.document(index, of: file, tokenizer, targets)
        }
    }

    /// The job that tokenizes a document on another thread, or `nil` if the source is already tokenized.
    func job(_ index: Int) -> DocumentWorkers.Job? {
        guard case .lines(let file, let tokenizer) = content else { return nil }
        let targets = targets
        return {
            do throws(TrainingError) {
                return .success(try Self.document(index, of: file, tokenizer, targets))
            } catch {
                return .failure(error)
            }
        }
    }

    /// Whether stream `stream` of `streams`, which reads every `streams`-th document, has a token. Lines are assumed to have
    /// tokens.
    func hasTokens(stream: Int, of streams: Int) -> Bool {
        guard case .tokens(let file) = content else { return true }
        return stride(from: stream, to: file.documents, by: streams).contains { file.length(of: $0) > 0 }
    }

    private static func document(
        _ index: Int, of file: LineFile, _ tokenizer: DocumentTokenizer, _ targets: DocumentTokenizer.Targets
    ) throws(TrainingError) -> Document {
        let text = try file.document(index)
        do throws(TextDocument.Failure) {
            return try tokenizer.document(text, targets: targets)
        } catch {
            throw file.failure(index, error.reason)
        }
    }
}
