import KernelInterface

/// The kernels of one family in one compute mode, selected once at start: it finds the kernels that multiply weights of a
/// format and read a cache of a format.
package struct KernelTable: Sendable {
    /// Computes a product in place of the family's kernels.
    typealias Product =
        @Sendable (_ weights: any WeightKernels.Type, _ matrix: PackedWeights, _ arguments: MatmulArguments) -> Void

    /// For the log and `/version`.
    let name: String

    /// The kernels that do not depend on formats.
    let family: any KernelFamily.Type

    /// Whether activations may be rounded to bfloat16 in products and in attention.
    let roundsActivations: Bool

    /// Used for all products except exact ones; nil: the family's.
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
    /// - Parameter isExact: for results that select something, such as a router's: activations are never rounded to bfloat16.
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

    /// Attention of one query row over a segment of a cache in `format`.
    func attend(_ format: CacheFormat, _ arguments: AttentionArguments) {
        let cache = family.cache(format)
        if roundsActivations { cache.attendRounded(arguments) } else { cache.attend(arguments) }
    }
}
