import Engine

/// One float32 for each trained parameter: the weights, their gradients, or a part of an optimizer's state.
struct TrainedTensors {
    let layout: ParameterLayout
    let memory: Buffer<Float>
    /// Where the elements of a parameter begin, by their place in the layout; `nil`: all parameters are at their place.
    private let offsets: [Int: Int]?

    /// All zero.
    init(_ layout: ParameterLayout) {
        self.layout = layout
        memory = Buffer(count: layout.count)
        offsets = nil
    }

    /// All zero, without memory for the parameters that are not kept.
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

    /// `nil` if the parameter is not kept.
    func kept(_ parameter: Parameter) -> Matrix? {
        offsets.map { $0[parameter.offset] != nil } ?? true ? matrix(parameter) : nil
    }

    /// The product that adds dY^T X to a gradient; `nil` if the parameter is not kept.
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
