import Testing

@testable import Engine

extension KernelTable: CustomTestStringConvertible {
    public var testDescription: String { name }
}

extension KernelTable {
    /// Whether products round activations to bfloat16.
    var roundsActivations: Bool { name == KernelTable.best(.fast).name && encode != nil }
}
