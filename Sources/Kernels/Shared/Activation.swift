extension Kernels {
    /// Computes gate = silu(gate) * up, the SwiGLU product, with silu(z) = z * sigmoid(z). Both are (rows, width) with a stride of
    /// `stride` floats.
    public static func siluMultiply(
        gate: UnsafeMutablePointer<Float>, up: UnsafePointer<Float>, rows: Int, width: Int, stride: Int
    ) {
        var row = 0
        while row < rows {
            let target = gate + row * stride
            let factor = up + row * stride
            var i = 0
            while i < width {
                let z = load(target, i, count: width - i)
                store(z * sigmoid(z) * load(factor, i, count: width - i), target, i, count: width - i)
                i += 16
            }
            row += 1
        }
    }

    /// Computes x *= sigmoid(gate), elementwise over `count` floats.
    public static func sigmoidMultiply(x: UnsafeMutablePointer<Float>, gate: UnsafePointer<Float>, count: Int) {
        var i = 0
        while i < count {
            let value = load(x, i, count: count - i) * sigmoid(load(gate, i, count: count - i))
            store(value, x, i, count: count - i)
            i += 16
        }
    }
}
