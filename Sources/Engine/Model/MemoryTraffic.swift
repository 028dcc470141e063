/// The data that a step reads from memory outside the CPU's caches. Data counts once, regardless of how often the step uses it.
public struct MemoryTraffic: Sendable, Equatable {
    /// The bytes of weights: every matrix that the step used, norms, and rows of the embeddings.
    public var weightBytes = 0
    /// The bytes of cached keys and values, counting for each sequence those that its rows attend to.
    public var cacheBytes = 0
    /// The number of routed experts that received at least one token, summed over all layers.
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
