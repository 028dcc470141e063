import JSON

/// Where the micro-batches of a stage come from.
enum BatchSource {
    /// Packed batches, found by the number of their step in the stage.
    case file(BatchFile)
    /// Documents that are packed while the run goes on.
    case documents(DocumentLoader)

    func next(step: Int) throws(TrainingError) -> [PackedBatch] {
        switch self {
        case .file(let file): try file.microBatches(step: step)
        case .documents(let loader): try loader.next()
        }
    }

    /// Documents that were left out so far because they cannot be used.
    var skipped: Int {
        if case .documents(let loader) = self { loader.skipped } else { 0 }
    }

    /// Makes ``state()`` that of the step before, for a step that could not be done.
    func takeBack() {
        if case .documents(let loader) = self { loader.takeBack() }
    }

    /// What has to be restored beside the number of the step.
    func state() throws -> JSONValue {
        if case .documents(let loader) = self { try loader.state() } else { .null }
    }

    func restore(_ state: JSONValue) throws(TrainingError) {
        if case .documents(let loader) = self { try loader.restore(state) }
    }
}
