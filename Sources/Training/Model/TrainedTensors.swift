import Engine

/// One float32 for each element of the parameters: weights, gradients, or a part of the optimizer state.
struct TrainedTensors {
    let layout: ParameterLayout
    let memory: Buffer<Float>
    /// The offset of each kept parameter, by its offset in the layout, or `nil` if all parameters are kept at their layout
    /// offsets.
    private let offsets: [Int: Int]?

    /// Creates tensors of zeros for all parameters.
    init(_ layout: ParameterLayout) {
        self.layout = layout
        memory = Buffer(count: layout.count)
        offsets = nil
    }

    /// Creates tensors of zeros, without memory for the parameters that are not kept.
    init(_ layout: ParameterLayout, keeping isKept: (Parameter) -> Bool) {
        self.layout = layout
        var (offsets, end) = ([Int: Int](), 0)
        for parameter in layout.parameters where isKept(parameter) {
            offsets[parameter.offset] = end
            end += ParameterLayout.room(for: parameter)
        }
        self.offsets = offsets.count == layout.parameters.count ? nil : offsets
        memory = Buffer(count: end)
    }

    /// Returns the matrix of a parameter, or `nil` if the parameter is not kept.
    func kept(_ parameter: Parameter) -> Matrix? {
        offsets.map { $0[parameter.offset] != nil } ?? true ? matrix(parameter) : nil
    }

    /// Returns the product that adds dY^T X to a gradient, or `nil` if the parameter is not kept.
    func product(_ dy: Matrix, _ x: Matrix, for parameter: Parameter) -> MatrixProduct? {
        kept(parameter).map { .weightGradient(dy, x, into: $0) }
    }

    func matrix(_ parameter: Parameter) -> Matrix {
        Matrix(pointer(parameter), rows: parameter.rows, columns: parameter.columns)
    }

    /// - Precondition: the parameter is kept.
    func pointer(_ parameter: Parameter) -> UnsafeMutablePointer<Float> {
        guard let offsets else { return memory.base + parameter.offset }
        guard let offset = offsets[parameter.offset] else { preconditionFailure("the parameter is kept") }
        return memory.base + offset
    }
}
