import Testing

@testable import Engine

extension KernelTable: CustomTestStringConvertible {
    public var testDescription: String { name }

    /// The tables of this machine that are held to the reference's results.
    static let exact = KernelSet.available.map { $0.table(.exact) }
}
