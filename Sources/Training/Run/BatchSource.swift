import JSON

/// The source of a stage's micro-batches.
enum BatchSource {
    /// Packed batches, looked up by the number of the step in the stage.
    case file(BatchFile)
    /// Documents, which are packed during the run.
    case documents(DocumentLoader)

    func next(step: Int) throws(TrainingError) -> [PackedBatch] {
        switch self {
        case .file(let file): try file.microBatches(step: step)
        case .documents(let loader): try loader.next()
        }
    }

    /// The number of unusable documents skipped so far.
    var skipped: Int {
        if case .documents(let loader) = self { loader.skipped } else { 0 }
    }

    /// Resets ``state()`` to the previous step, after a step that failed.
    func takeBack() {
        if case .documents(let loader) = self { loader.takeBack() }
    }

    /// Returns the state that must be restored in addition to the step number.
    func state() throws -> JSONValue {
        if case .documents(let loader) = self { try loader.state() } else { .null }
    }

    func restore(_ state: JSONValue) throws(TrainingError) {
        if case .documents(let loader) = self { try loader.restore(state) }
    }
}
