import Foundation
import JSON

/// Where the micro-batches of a run come from.
enum BatchSource {
    /// Packed batches, found by the number of their step.
    case file(BatchFile)
    /// Documents that are packed while the run goes on.
    case documents(DocumentLoader)

    init(_ data: Recipe.Data, vocabularySize: Int) throws {
        switch data {
        case .batches(let url): self = .file(try BatchFile(url, vocabularySize: vocabularySize))
        case .documents(let url, let options):
            self = .documents(try DocumentLoader(TokenFile(url, vocabularySize: vocabularySize), options))
        }
    }

    /// The number of steps; `nil` for as many as are asked for.
    var steps: Int? {
        if case .file(let file) = self { file.steps } else { nil }
    }

    mutating func next(step: Int) throws(TrainingError) -> [PackedBatch] {
        switch self {
        case .file(let file): return try file.microBatches(step: step)
        case .documents(var loader):
            defer { self = .documents(loader) }
            return try loader.next()
        }
    }

    /// What has to be restored beside the number of the step.
    func state() throws -> JSONValue {
        if case .documents(let loader) = self { try loader.state() } else { .null }
    }

    mutating func restore(_ state: JSONValue) throws(TrainingError) {
        guard case .documents(var loader) = self else { return }
        try loader.restore(state)
        self = .documents(loader)
    }
}
