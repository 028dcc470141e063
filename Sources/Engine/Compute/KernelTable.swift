import KernelInterface

/// The kernels of one family in one compute mode, selected once at start: it finds the kernels that multiply weights of a
/// format and read a cache of a format.
package struct KernelTable: Sendable {
    /// Computes a product with float32 activations in place of the family's kernels.
    typealias Product = @Sendable (_ matrix: PackedContents, _ arguments: MatmulArguments) -> Void

    /// For the log and `/version`.
    let name: String

    /// The kernels that do not depend on formats.
    package let family: any KernelFamily.Type

    /// Whether activations may be rounded to bfloat16 in products and in attention.
    let roundsActivations: Bool

    /// Bytes of the integers that multiply quantized weights: 1, 2 or 3.
    let integerTerms: Int

    /// Whether rows of activations are also encoded as integers, for a model with quantized weights.
    package var encodesIntegers = false

    /// Used for all products except exact ones; nil: the family's.
    let product: Product?

    init(
        name: String, family: any KernelFamily.Type, roundsActivations: Bool = false, integerTerms: Int = 3,
        product: Product? = nil
    ) {
        self.name = name
        self.family = family
        self.roundsActivations = roundsActivations
        self.integerTerms = integerTerms
        self.product = product
    }

    /// y = x W^T of a matrix in `format`, with x in the ``ActivationFormat`` of the family's kernels for it.
    ///
    /// - Parameter isExact: for results that select something, such as a router's: activations are never rounded to bfloat16.
    func multiply(_ format: WeightFormat, _ matrix: PackedWeights, _ arguments: MatmulArguments, isExact: Bool = false)
    {
        let weights = family.weights(format)
        if let product, !isExact {
            product(.numbers(format, matrix), arguments)
        } else if roundsActivations && !isExact {
            weights.multiplyRounded(matrix, arguments)
        } else {
            weights.multiply(matrix, arguments)
        }
    }

    /// y = x W^T of a quantized matrix, with rows of x encoded in integers of ``integerTerms`` bytes; with a ``product`` of its own
    /// x is float32.
    func multiply(_ matrix: PackedQuantizedWeights, _ arguments: MatmulArguments) {
        if let product {
            product(.quantized(matrix), arguments)
        } else {
            family.multiply(matrix, arguments, terms: integerTerms)
        }
    }

    /// Attention of one query row over a segment of a cache in `format`.
    func attend(_ format: CacheFormat, _ arguments: AttentionArguments) {
        let cache = family.cache(format)
        if roundsActivations { cache.attendRounded(arguments) } else { cache.attend(arguments) }
    }
}
