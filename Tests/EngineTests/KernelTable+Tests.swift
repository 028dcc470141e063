import TestSupport
import Testing

@testable import Engine

extension KernelTable: CustomTestStringConvertible {
    public var testDescription: String { name }

    /// The tables of this machine that are held to the reference's results.
    static let exact = KernelSet.available.map { $0.table(.exact) }

    /// The tables that a test of many models runs: those that the server takes by itself, or all.
    static let chosen =
        TestEffort.isFull ? available : hasFast ? [best(.exact), best(.fast)] : [best(.exact)]

    /// Whether this machine's kernels can round activations to bfloat16; where they cannot, "fast" is "exact".
    static let hasFast = best(.fast).name != best(.exact).name
}
