/// What a step reads from memory that is not in the CPU's caches, counted once regardless of how often the step uses it.
public struct MemoryTraffic: Sendable, Equatable {
    /// Bytes of weights: every matrix that the step multiplied by, norms, and rows of the embeddings.
    public var weightBytes = 0
    /// Bytes of cached keys and values, counting for each sequence those that its rows attend to.
    public var cacheBytes = 0
    /// Routed experts that got at least one token, over all layers.
    public var expertsTouched = 0

    public init(weightBytes: Int = 0, cacheBytes: Int = 0, expertsTouched: Int = 0) {
        self.weightBytes = weightBytes
        self.cacheBytes = cacheBytes
        self.expertsTouched = expertsTouched
    }

    public var bytes: Int { weightBytes + cacheBytes }

    static func += (total: inout Self, step: Self) {
        total.weightBytes += step.weightBytes
        total.cacheBytes += step.cacheBytes
        total.expertsTouched += step.expertsTouched
    }
}
