import Engine
import Scheduling
import TestSupport

/// The mask workers on a virtual clock: the real queue, with grammars of any cost.
struct SimulatedMasks {
    private struct Question {
        var sequence: SequenceID
        var tenant: String
        var units: Int
        var left: Int
        /// The number of slices of other tenants, and of its own, that have begun since its arrival.
        var othersSlices = 0
        var ownSlices = 0
    }

    private(set) var queue = MaskQueue()
    private var questions: [MaskQueue.ID: Question] = [:]
    private var bySequence: [SequenceID: MaskQueue.ID] = [:]
    /// Current slices, including those of removed requests.
    private var running: [MaskQueue.ID: String] = [:]
    private let workers: Int
    /// Violated properties.
    private(set) var violation: String?

    init(workers: Int) {
        self.workers = workers
    }

    var isIdle: Bool { questions.isEmpty && running.isEmpty && queue.count == 0 }

    mutating func ask(_ sequence: SequenceID, tenant: String, units: Int) {
        let id = queue.add(tenant: tenant)
        questions[id] = Question(sequence: sequence, tenant: tenant, units: units, left: units)
        bySequence[sequence] = id
    }

    mutating func drop(_ sequence: SequenceID) {
        guard let id = bySequence.removeValue(forKey: sequence) else { return }
        questions[id] = nil
        queue.remove(id)
    }

    /// Begins slices for free workers; returns the requests whose slices begin.
    mutating func start() -> [MaskQueue.ID] {
        var started: [MaskQueue.ID] = []
        while running.count < workers, let id = queue.next() {
            let tenant = questions[id]?.tenant ?? ""
            running[id] = tenant
            for other in questions.keys where other != id {
                if questions[other]?.tenant == tenant {
                    questions[other]?.ownSlices += 1
                } else {
                    questions[other]?.othersSlices += 1
                }
            }
            started.append(id)
        }
        return started
    }

    /// Ends a slice; returns the sequence whose mask is ready.
    mutating func sliceEnded(_ id: MaskQueue.ID) -> SequenceID? {
        guard let tenant = running.removeValue(forKey: id) else { return nil }
        let units = min(questions[id]?.left ?? MaskQueue.unitsPerSlice, MaskQueue.unitsPerSlice)
        queue.ran(id, tenant: tenant, units: units)
        guard var question = questions[id] else { return nil }
        question.left -= units
        questions[id] = question
        guard question.left <= 0 else { return nil }
        check(question)
        drop(question.sequence)
        return question.sequence
    }

    /// A grammar of one slice waits for another tenant's only as long as that tenant was served less, and for its own tenant's
    /// at most for a slice of each that is as new, plus the share of the oldest.
    private mutating func check(_ question: Question) {
        guard question.units <= MaskQueue.unitsPerSlice else { return }
        let lead = MaskQueue.longestLead / MaskQueue.unitsPerSlice + 2
        let others = Set(questions.values.map(\.tenant)).union(running.values).subtracting([question.tenant]).count
        tenants = max(tenants, others)
        if question.othersSlices > tenants * (question.ownSlices + lead) + workers {
            violation = "a mask waited for \(question.othersSlices) slices of others' grammars"
        }
    }

    /// The maximum number of other tenants with requests.
    private var tenants = 0
}
