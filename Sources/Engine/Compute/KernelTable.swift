import KernelInterface

/// The kernels of one family under one way to compute, chosen once at start: which kernel multiplies weights of a format,
/// and which one reads a cache of a format.
package struct KernelTable: Sendable {
    /// Computes a product instead of the family's kernels.
    typealias Product =
        @Sendable (_ weights: any WeightKernels.Type, _ matrix: PackedWeights, _ arguments: MatmulArguments) -> Void

    /// For the log and `/version`.
    let name: String

    /// What does not depend on formats.
    let family: any KernelFamily.Type

    /// Whether activations may be rounded to bfloat16 in products and in attention.
    let roundsActivations: Bool

    /// For all products but exact ones; nil: the family's.
    let product: Product?

    init(
        name: String, family: any KernelFamily.Type, roundsActivations: Bool = false, product: Product? = nil
    ) {
        self.name = name
        self.family = family
        self.roundsActivations = roundsActivations
        self.product = product
    }

    /// y = x W^T of a matrix in `format`, with x in the ``ActivationFormat`` of the family's kernels for it.
    ///
    /// - Parameter isExact: for results that decide, like a router's: activations are never rounded to bfloat16.
    func multiply(_ format: WeightFormat, _ matrix: PackedWeights, _ arguments: MatmulArguments, isExact: Bool = false)
    {
        let weights = family.weights(format)
        if let product, !isExact {
            product(weights, matrix, arguments)
        } else if roundsActivations && !isExact {
            weights.multiplyRounded(matrix, arguments)
        } else {
            weights.multiply(matrix, arguments)
        }
    }

    /// Attention of one query row to a segment of a cache in `format`.
    func attend(_ format: CacheFormat, _ arguments: AttentionArguments) {
        let cache = family.cache(format)
        if roundsActivations { cache.attendRounded(arguments) } else { cache.attend(arguments) }
    }
}
