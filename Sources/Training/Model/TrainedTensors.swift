import Engine

/// One float32 for each trained parameter: the weights, their gradients, or a part of an optimizer's state.
struct TrainedTensors {
    let layout: ParameterLayout
    let memory: Buffer<Float>

    /// All zero.
    init(_ layout: ParameterLayout) {
        self.layout = layout
        memory = Buffer(count: layout.count)
    }

    func matrix(_ parameter: Parameter) -> Matrix {
        Matrix(memory.base + parameter.offset, rows: parameter.rows, columns: parameter.columns)
    }

    func pointer(_ parameter: Parameter) -> UnsafeMutablePointer<Float> { memory.base + parameter.offset }

    /// Sets all to zero.
    func clear() { memory.base.update(repeating: 0, count: memory.count) }
}
