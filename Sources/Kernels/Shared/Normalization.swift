// RMS normalization (arXiv 1910.07467): out = weight * x / sqrt(mean(x^2) + epsilon), all in float32. The squares are summed in 16
// lanes in ascending order of columns, and the lanes are summed as a tree.

extension Kernels {
    /// Normalizes each of `rows` rows. x and out are (rows, width), and weight is (width). `out` may be `x`.
    public static func rmsNorm(
        x: UnsafePointer<Float>, weight: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, rows: Int, width: Int,
        epsilon: Float
    ) {
        var row = 0
        while row < rows {
            let source = x + row * width
            let target = out + row * width
            let factor = inverseRootMeanSquare(source, width, epsilon)
            var i = 0
            while i < width {
                let value = load(weight, i, count: width - i) * (load(source, i, count: width - i) * factor)
                store(value, target, i, count: width - i)
                i += 16
            }
            row += 1
        }
    }

    /// Computes residual += rmsNorm(branch). residual and branch are (rows, width), and weight is (width).
    public static func addRMSNorm(
        branch: UnsafePointer<Float>, weight: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>, rows: Int,
        width: Int, epsilon: Float
    ) {
        var row = 0
        while row < rows {
            let source = branch + row * width
            let target = residual + row * width
            let factor = inverseRootMeanSquare(source, width, epsilon)
            var i = 0
            while i < width {
                let value = load(weight, i, count: width - i) * (load(source, i, count: width - i) * factor)
                store(load(target, i, count: width - i) + value, target, i, count: width - i)
                i += 16
            }
            row += 1
        }
    }

    @inline(__always)
    private static func inverseRootMeanSquare(_ x: UnsafePointer<Float>, _ width: Int, _ epsilon: Float) -> Float {
        var sums = SIMD16<Float>.zero
        var i = 0
        while i < width {
            let value = load(x, i, count: width - i)
            sums = value * value + sums
            i += 16
        }
        return 1 / (sum(sums) / Float(width) + epsilon).squareRoot()
    }
}
