import KernelInterface

/// The kernels of one family in one compute mode, selected once at start. The table selects the kernels for a weight format and for
/// a cache format.
package struct KernelTable: Sendable {
    /// A function that replaces the family's kernels and computes a product with float32 activations.
    typealias Product = @Sendable (_ matrix: PackedContents, _ arguments: MatmulArguments) -> Void

    /// The name in the log and in `/version`.
    let name: String

    /// The kernels that do not depend on formats.
    package let family: any KernelFamily.Type

    /// Whether activations may be rounded to bfloat16 in products and in attention.
    let roundsActivations: Bool

    /// The size in bytes of the integers that multiply quantized weights: 1, 2 or 3.
    let integerTerms: Int

    /// Whether rows of activations are also encoded as integers, which a model with quantized weights needs.
    package var encodesIntegers = false

    /// The function for all products except exact ones, or `nil` to use the family's kernels.
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

    /// Computes y = x W^T with a matrix in `format`, where x has the ``ActivationFormat`` of the family's kernels for that format.
    ///
    /// - Parameter isExact: Whether activations must not be rounded to bfloat16. This is required for results that select
    ///   something, such as those of a router.
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

    /// Computes y = x W^T with a quantized matrix, where rows of x are encoded in integers of ``integerTerms`` bytes. If the table
    /// has a ``product``, x is float32.
    func multiply(_ matrix: PackedQuantizedWeights, _ arguments: MatmulArguments) {
        if let product {
            product(.quantized(matrix), arguments)
        } else {
            family.multiply(matrix, arguments, terms: integerTerms)
        }
    }

    /// Computes the attention of one query row over a segment of a cache in `format`.
    func attend(_ format: CacheFormat, _ arguments: AttentionArguments) {
        let cache = family.cache(format)
        if roundsActivations { cache.attendRounded(arguments) } else { cache.attend(arguments) }
    }
}
