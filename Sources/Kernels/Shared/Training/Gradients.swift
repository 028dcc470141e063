import KernelInterface

// Elementwise gradients of training. Sums over a row are added in 16 lanes in ascending order of columns, and the lanes are summed
// as a tree. Sums over rows are added in ascending order.

extension Kernels {
    /// Implements the requirement of ``TrainingKernels``.
    public static func rmsNormBackward(
        dy: UnsafePointer<Float>, x: UnsafePointer<Float>, gain: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
        adds: Bool, gainGradient: UnsafeMutablePointer<Float>, rows: Int, width: Int, epsilon: Float
    ) {
        var row = 0
        while row < rows {
            let (change, source, target) = (dy + row * width, x + row * width, dx + row * width)
            var squares = SIMD16<Float>.zero
            var products = SIMD16<Float>.zero
            var i = 0
            while i < width {
                let value = load(source, i, count: width - i)
                squares = value * value + squares
                let scaled = load(change, i, count: width - i) * load(gain, i, count: width - i)
                products = multiplyAdd(scaled, value, products)
                i += 16
            }
            let factor = 1 / (sum(squares) / Float(width) + epsilon).squareRoot()
            let pull = factor * factor * sum(products) / Float(width)
            i = 0
            while i < width {
                let count = width - i
                let value = load(source, i, count: count)
                let upstream = load(change, i, count: count)
                let normed = value * factor
                store(
                    multiplyAdd(upstream, normed, load(gainGradient, i, count: count)), gainGradient, i, count: count)
                let gradient = (upstream * load(gain, i, count: count) - value * pull) * factor
                store(adds ? load(target, i, count: count) + gradient : gradient, target, i, count: count)
                i += 16
            }
            row += 1
        }
    }

    /// Implements the requirement of ``TrainingKernels``.
    public static func siluMultiplyBackward(
        gate: UnsafeMutablePointer<Float>, up: UnsafeMutablePointer<Float>, change: UnsafeMutablePointer<Float>,
        factor: Float, count: Int
    ) -> Float {
        var total = SIMD16<Float>.zero
        var i = 0
        while i < count {
            let left = count - i
            let (a, b) = (load(gate, i, count: left), load(up, i, count: left))
            let e = load(change, i, count: left)
            let share = sigmoid(a)
            let silu = a * share
            let product = silu * b
            total = multiplyAdd(e, product, total)
            let scaled = e * factor
            store(scaled * b * (share + silu * (1 - share)), gate, i, count: left)
            store(scaled * silu, up, i, count: left)
            store(product * factor, change, i, count: left)
            i += 16
        }
        return sum(total)
    }

    /// Implements the requirement of ``TrainingKernels``.
    public static func sigmoidMultiplyBackward(
        x: UnsafeMutablePointer<Float>, gate: UnsafeMutablePointer<Float>, change: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        var i = 0
        while i < count {
            let left = count - i
            let (value, upstream) = (load(x, i, count: left), load(change, i, count: left))
            let share = sigmoid(load(gate, i, count: left))
            let product = value * share
            store(product, x, i, count: left)
            store(upstream * product * (1 - share), gate, i, count: left)
            store(upstream * share, change, i, count: left)
            i += 16
        }
    }

    /// Returns sum a b.
    public static func dotProduct(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
        var total = SIMD16<Float>.zero
        var i = 0
        while i < count {
            total = multiplyAdd(load(a, i, count: count - i), load(b, i, count: count - i), total)
            i += 16
        }
        return sum(total)
    }

    /// Computes target += factor source.
    public static func add(
        _ source: UnsafePointer<Float>, times factor: Float, to target: UnsafeMutablePointer<Float>, count: Int
    ) {
        let factors = SIMD16<Float>(repeating: factor)
        var i = 0
        while i < count {
            let left = count - i
            store(
                multiplyAdd(load(source, i, count: left), factors, load(target, i, count: left)), target, i,
                count: left)
            i += 16
        }
    }

    /// Computes target = factor source.
    public static func scale(
        _ source: UnsafePointer<Float>, by factor: Float, into target: UnsafeMutablePointer<Float>, count: Int
    ) {
        var i = 0
        while i < count {
            store(load(source, i, count: count - i) * factor, target, i, count: count - i)
            i += 16
        }
    }
}
