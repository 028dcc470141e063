import Foundation
import Testing

@testable import Engine

/// Norms, activations, rotations, routing and sums compared with float64.
struct ElementwiseTests {
    private static let widths = [1, 15, 16, 17, 24, 64, 100, 1024]

    @Test(arguments: widths, KernelTable.available)
    func `a norm divides by the root of the mean square`(width: Int, kernels: KernelTable) {
        var random = RandomValues(seed: 4)
        let rows = 3
        let x = random.floats(rows * width)
        let weight = random.floats(width)
        let start = random.floats(rows * width)
        var normed = [Float](repeating: .nan, count: rows * width)
        kernels.family.rmsNorm(x: x, weight: weight, out: &normed, rows: rows, width: width, epsilon: 1e-3)
        var added = start
        kernels.family.addRMSNorm(
            branch: x, weight: weight, residual: &added, rows: rows, width: width, epsilon: 1e-3)

        var want: [Double] = []
        for row in 0..<rows {
            let values = x[row * width..<(row + 1) * width].map(Double.init)
            let root = sqrt(values.reduce(0) { $0 + $1 * $1 } / Double(width) + Double(Float(1e-3)))
            want += zip(values, weight).map { $0 / root * Double($1) }
        }
        #expect(relativeError(normed, want) < 5e-7)
        #expect(relativeError(added, zip(want, start).map { $0 + Double($1) }) < 5e-7)
    }

    @Test(arguments: widths, KernelTable.available)
    func `gates are silu and sigmoid`(width: Int, kernels: KernelTable) {
        var random = RandomValues(seed: 5)
        let (rows, stride) = (2, width + 3)
        let gate = random.floats(rows * stride, in: -30...30)
        let up = random.floats(rows * stride)
        var product = gate
        kernels.family.siluMultiply(gate: &product, up: up, rows: rows, width: width, stride: stride)
        let gated = zip(gate, up).map { Double($0) / (1 + exp(-Double($0))) * Double($1) }
        for row in 0..<rows {
            let columns = row * stride..<row * stride + width
            #expect(relativeError(Array(product[columns]), Array(gated[columns])) < 5e-7)
            // The memory between the rows belongs to another slice.
            #expect(product[columns.upperBound..<(row + 1) * stride] == gate[columns.upperBound..<(row + 1) * stride])
        }
        var x = up
        kernels.family.sigmoidMultiply(x: &x, gate: gate, count: rows * stride)
        #expect(relativeError(x, zip(up, gate).map { Double($0) / (1 + exp(-Double($1))) }) < 5e-7)
    }

    @Test(arguments: KernelTable.available)
    func `sigmoid keeps its relative precision over the whole range and saturates`(kernels: KernelTable) {
        var worst = 0.0
        for step in -8000...8000 {
            let z = Float(step) / 100
            var x: Float = 1
            withUnsafePointer(to: z) { kernels.family.sigmoidMultiply(x: &x, gate: $0, count: 1) }
            let want = 1 / (1 + exp(-Double(z)))
            worst = max(worst, abs(Double(x) - want) / want)
        }
        #expect(worst < 4e-7)
        for (z, want) in [(200, 1), (Float.infinity, 1), (-200, 0), (-Float.infinity, 0)] as [(Float, Float)] {
            var x: Float = 1
            withUnsafePointer(to: z) { kernels.family.sigmoidMultiply(x: &x, gate: $0, count: 1) }
            #expect(abs(x - want) < 1e-30)
        }
    }

    @Test(arguments: [2, 24, 64], KernelTable.available)
    func `a rotation turns the pairs of both halves`(width: Int, kernels: KernelTable) {
        var random = RandomValues(seed: 6)
        let (heads, half) = (3, width / 2)
        let angles = random.floats(half, in: 0...6)
        let x = random.floats(heads * width)
        var rotated = x
        kernels.family.rotate(
            x: &rotated, heads: heads, headDimension: width, cosines: angles.map { cos($0) },
            sines: angles.map { sin($0) })
        let want = x.indices.map { index in
            let t = index % width
            let angle = Double(angles[t % half])
            let partner = Double(x[t < half ? index + half : index - half])
            return Double(x[index]) * cos(angle) + (t < half ? -partner : partner) * sin(angle)
        }
        #expect(relativeError(rotated, want) < 5e-7)
    }
}
