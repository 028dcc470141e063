import TestSupport
import Testing

@testable import Engine

extension KernelTable: CustomTestStringConvertible {
    public var testDescription: String { name }

    /// The tables of this machine that are compared with the reference results.
    static let exact = KernelSet.available.map { $0.table(.exact) }

    /// The tables that a test of many models uses: those that the server selects by default, or all.
    static let chosen =
        TestEffort.isFull ? available : hasFast ? [best(.exact), best(.fast)] : [best(.exact)]

    /// Whether this machine's kernels can round activations to bfloat16; otherwise "fast" is "exact".
    static let hasFast = best(.fast).name != best(.exact).name
}
