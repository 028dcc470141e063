import JSON

/// The hyperparameters of a stage, from the recipe's `hyperparameters`. The defaults are for a hidden size of about 256.
public struct Hyperparameters: Sendable, Equatable {
    /// The number of steps, or `nil` for all steps of the batches.
    public var steps: Int?
    public var muonLearningRate = 0.02
    public var muon = Muon()
    /// The learning rate of each kind of parameter except matrices.
    public var adamLearningRates: [Parameter.Kind: Double] = [
        .embedding: 4e-3, .head: 2e-3, .router: 2e-3, .gain: 2e-3, .branchGain: 2e-3,
    ]
    public var adam = AdamW()
    /// The maximum norm of the gradient, or `nil` for no clipping.
    public var clip: Double? = 1
    public var zFactor = 1e-4
    public var balanceFactor = 1e-4
    public var balancing = ExpertBalancing.smebu(lambda: 5e-3, beta: 0.5, kappa: 2)
    public var schedule = LearningRateSchedule.wsd(warmup: 0, stable: .max / 2, decay: 0, floor: 1)
    /// A factor for the whole schedule.
    public var peak = 1.0

    public init() {}

    /// Returns the factor of all learning rates in a step, counted from the beginning of the stage.
    public func learningRateFactor(step: Int) -> Double { peak * schedule.factor(step: step) }

    /// Numbers that may be null: the number of steps is then given otherwise, and there is no clipping or balancing.
    private static let nullable: Set<String> = ["steps", "tokens", "clip", "smebu", "auxfree"]

    /// Batch sizes, which are ignored for a file of batches, because the file determines them.
    static let descriptive: Set<String> = ["micro_batches", "rows", "length"]

    /// - Parameters:
    ///   - name: the path of the object in the recipe.
    ///   - positions: the number of positions of a step, by which `tokens` is divided, or `nil` if batches determine the sizes.
    ///   - checksSchedule: whether the schedule must fit the steps.
    /// - Throws: `TrainingError.recipe` with the field and its bound, also for unknown fields.
    init(
        parsing json: JSONValue, name: String, positions: Int?, checksSchedule: Bool = true
    ) throws(TrainingError) {
        var reader = try RecipeReader(json, name: name)
        try reader.refuseNull(except: Self.nullable)
        for name in Self.descriptive where positions == nil { _ = try reader.integer(name, in: 1...1 << 40) }
        steps = try reader.integer("steps", in: 1...1 << 32)
        if let tokens = try reader.integer("tokens", in: 1...1 << 50) {
            guard let positions else { throw reader.invalid("tokens", "cannot be given with batches") }
            guard steps == nil else { throw reader.invalid("tokens", "cannot be given together with steps") }
            steps = (tokens + positions - 1) / positions
        }
        muonLearningRate = try reader.number("muon_lr", in: 0...10) ?? muonLearningRate
        muon.momentum = try reader.number("muon_momentum", in: 0...0.9999) ?? muon.momentum
        muon.weightDecay = try reader.number("muon_weight_decay", in: 0...10) ?? muon.weightDecay
        if var rates = try reader.object("adamw_lr") {
            try rates.refuseNull()
            for kind in Parameter.Kind.allCases where kind != .matrix {
                adamLearningRates[kind] = try rates.number(kind.rawValue, in: 0...10) ?? adamLearningRates[kind]
            }
            try rates.finish()
        }
        if let betas = reader.take("adamw_betas") {
            let numbers = (betas.array ?? []).compactMap(\.double)
            guard numbers.count == 2, betas.array?.count == 2, numbers.allSatisfy({ $0 >= 0 && $0 < 1 }) else {
                throw reader.invalid("adamw_betas", "must be two numbers from 0 and below 1")
            }
            (adam.beta1, adam.beta2) = (numbers[0], numbers[1])
        }
        adam.epsilon = try reader.number("adamw_eps", in: 1e-30...1) ?? adam.epsilon
        adam.weightDecay = try reader.number("adamw_weight_decay", in: 0...10) ?? adam.weightDecay
        if reader.has("clip") { clip = try reader.number("clip", in: 1e-30...1e30) }
        zFactor = try reader.number("zeta", in: 0...1) ?? zFactor
        balanceFactor = try reader.number("alpha", in: 0...1) ?? balanceFactor
        // Null stands for no updates of the biases, as for `clip`.
        if reader.has("smebu") { balancing = .off }
        let (smebu, auxFree) = (try reader.object("smebu"), try reader.object("auxfree"))
        if smebu != nil, auxFree != nil { throw reader.invalid("auxfree", "cannot be given together with smebu") }
        if var smebu {
            balancing = .smebu(
                lambda: try smebu.number("lambda", in: 0...1) ?? 5e-3,
                beta: try smebu.number("beta", in: 0...0.9999) ?? 0.5,
                kappa: try smebu.number("kappa", in: 0...1e3) ?? 2)
            try smebu.finish()
        }
        if var auxFree {
            balancing = .auxFree(gamma: try auxFree.number("gamma", in: 0...1) ?? 1e-3)
            try auxFree.finish()
        }
        if var schedule = try reader.object("schedule") {
            peak = try schedule.number("peak", in: 0...1) ?? 1
            self.schedule = try LearningRateSchedule(&schedule, steps: steps, isChecked: checksSchedule)
            try schedule.finish()
        }
        try reader.finish()
    }
}

extension LearningRateSchedule {
    /// Parses `{"kind": "wsd", "warmup", "stable", "decay", "floor"}` or `{"kind": "cosine", "warmup", "total", "floor"}`.
    ///
    /// - Parameters:
    ///   - steps: the number of steps of the stage, used for phases that are not given.
    ///   - isChecked: whether the given phases must leave room for those that are not given.
    fileprivate init(_ reader: inout RecipeReader, steps: Int?, isChecked: Bool) throws(TrainingError) {
        let most = 1 << 40
        let warmup = try reader.integer("warmup", in: 0...most) ?? 0
        let floor = try reader.number("floor", in: 0...1) ?? 0
        switch reader.take("kind")?.string {
        case "wsd":
            let decay = try reader.integer("decay", in: 0...most) ?? 0
            let given = try reader.integer("stable", in: 0...most)
            guard let stable = given ?? steps.map({ max(0, $0 - warmup - decay) }) else {
                throw reader.invalid("stable", "is missing")
            }
            if isChecked, given == nil, let steps, warmup + decay > steps {
                throw reader.invalid("decay", "and warmup have \(warmup + decay) steps, the stage has \(steps)")
            }
            self = .wsd(warmup: warmup, stable: stable, decay: decay, floor: floor)
        case "cosine":
            guard let total = try reader.integer("total", in: 1...most) ?? steps else {
                throw reader.invalid("total", "is missing")
            }
            guard !isChecked || warmup < total else {
                throw reader.invalid("warmup", "is \(warmup), and must be less than the \(total) steps of the schedule")
            }
            self = .cosine(warmup: warmup, total: total, floor: floor)
        default: throw reader.invalid("kind", "must be wsd or cosine")
        }
    }
}
