import Foundation
import KernelInterface
import Testing

@testable import Engine

extension KernelSet: CustomTestStringConvertible {
    public var testDescription: String { rawValue }
}

/// Products of bfloat16 matrices compared with float64 over the rounded operands.
struct PairProductTests {
    /// A matrix of bfloat16 with its values.
    private struct Rounded {
        let buffer: Buffer<UInt16>
        let rows: Int
        let columns: Int

        init(rows: Int, columns: Int, _ kernels: any TrainingKernels.Type, _ random: inout RandomValues) {
            (self.rows, self.columns) = (rows, columns)
            // A pair may begin at the last element.
            buffer = Buffer(count: rows * columns + 1)
            kernels.round(random.floats(rows * columns), count: rows * columns, into: buffer.base)
        }

        func value(_ row: Int, _ column: Int) -> Double {
            Double(Float(bitPattern: UInt32(buffer.base[row * columns + column]) << 16))
        }

        var source: PairSource { PairSource(base: buffer.base, stride: columns, rows: rows, columns: columns) }
        var factor: PairFactor { PairFactor(rows: buffer.base, stride: 2 * columns) }
        /// Panels with a lane for each row, and pairs of columns.
        func columnPanels(_ kernels: any TrainingKernels.Type) -> (memory: Buffer<UInt16>, factor: PairFactor) {
            let block = (columns + 1) / 2 * 64
            let memory = Buffer<UInt16>(count: (rows + 15) / 16 * block / 2)
            kernels.packColumns(source, into: memory.base, block: block)
            return (memory, PairFactor(panels: memory.base, block: block))
        }
        /// Panels with a lane for each column, and pairs of rows.
        func rowPanels(_ kernels: any TrainingKernels.Type) -> (memory: Buffer<UInt16>, factor: PairFactor) {
            let block = (rows + 1) / 2 * 64
            let memory = Buffer<UInt16>(count: (columns + 15) / 16 * block / 2)
            kernels.packRows(source, into: memory.base, block: block)
            return (memory, PairFactor(panels: memory.base, block: block))
        }
    }

    private static let shapes: [(rows: Int, columns: Int, depth: Int)] = [
        (1, 1, 2), (6, 64, 256), (7, 17, 5 * 2), (13, 66, 258), (29, 33, 520), (48, 80, 64), (5, 3, 1000),
    ]

    private func multiply(
        _ product: PairProduct, _ kernels: any TrainingKernels.Type, start: Float = 0
    ) -> [Float] {
        var product = product
        let out = Buffer([Float](repeating: start, count: product.rows * product.columns + 1))
        (product.out, product.outStride) = (out.base, product.columns)
        kernels.multiply(product)
        #expect(out.base[product.rows * product.columns] == start)
        return Array(out.contents.dropLast())
    }

    /// (left, right, pairs) without a place for the result.
    private func product(
        _ left: PairFactor, _ right: PairFactor, pairs: Int, rows: Int, columns: Int, adds: Bool = false
    ) -> PairProduct {
        let nowhere = Buffer<Float>(count: 1)
        return PairProduct(
            left: left, right: right, pairs: pairs, out: nowhere.base, outStride: 0, rows: rows, columns: columns,
            adds: adds)
    }

    @Test(arguments: KernelSet.available)
    func `the three products of a layer agree with float64`(set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 21)
        for shape in Self.shapes {
            let (rows, columns, depth) = shape
            // Y = X W^T
            let x = Rounded(rows: rows, columns: depth, kernels, &random)
            let weight = Rounded(rows: columns, columns: depth, kernels, &random)
            let outputs = weight.columnPanels(kernels)
            let y = multiply(
                product(x.factor, outputs.factor, pairs: (depth + 1) / 2, rows: rows, columns: columns), kernels)
            let wantedY = Self.sums(rows, columns, depth) { x.value($0, $2) * weight.value($1, $2) }
            #expect(relativeError(y, wantedY) < 1e-5, "\(shape)")
            // dX = dY W
            let w = Rounded(rows: depth, columns: columns, kernels, &random)
            let inputs = w.rowPanels(kernels)
            let dx = multiply(
                product(x.factor, inputs.factor, pairs: (depth + 1) / 2, rows: rows, columns: columns), kernels)
            let wantedX = Self.sums(rows, columns, depth) { x.value($0, $2) * w.value($2, $1) }
            #expect(relativeError(dx, wantedX) < 1e-5, "\(shape)")
            // dW += dY^T X
            let dy = Rounded(rows: depth, columns: rows, kernels, &random)
            let changes = dy.rowPanels(kernels)
            let dw = multiply(
                product(
                    changes.factor, inputs.factor, pairs: (depth + 1) / 2, rows: rows, columns: columns, adds: true),
                kernels, start: 2)
            let wantedW = Self.sums(rows, columns, depth) { dy.value($2, $0) * w.value($2, $1) }.map { $0 + 2 }
            #expect(relativeError(dw, wantedW) < 1e-5, "\(shape)")
            withExtendedLifetime((outputs, inputs, changes)) {}
        }
    }

    private static func sums(
        _ rows: Int, _ columns: Int, _ depth: Int, _ term: (Int, Int, Int) -> Double
    ) -> [Double] {
        (0..<rows * columns).map { index in
            (0..<depth).reduce(0) { $0 + term(index / columns, index % columns, $1) }
        }
    }

    @Test(arguments: KernelSet.available)
    func `a sum depends neither on the other rows and columns nor on their places`(set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 22)
        let (rows, columns, depth) = (23, 75, 300)
        let x = Rounded(rows: rows, columns: depth, kernels, &random)
        let weight = Rounded(rows: columns, columns: depth, kernels, &random)
        let panels = weight.columnPanels(kernels)
        let whole = multiply(
            product(x.factor, panels.factor, pairs: depth / 2, rows: rows, columns: columns), kernels)
        for count in [1, 2, 5, 11, 22] {
            let some = multiply(
                product(x.factor, panels.factor, pairs: depth / 2, rows: count, columns: columns), kernels)
            #expect(some == Array(whole.prefix(count * columns)))
        }
        for first in [16, 48, 64] {
            var right = panels.factor
            right.base += first / 16 * right.block
            let some = multiply(
                product(x.factor, right, pairs: depth / 2, rows: rows, columns: columns - first), kernels)
            var expected: [Float] = []
            for row in 0..<rows { expected += whole[row * columns + first..<(row + 1) * columns] }
            #expect(some == expected)
        }
        let order = Buffer<Int32>((0..<rows).map { Int32(($0 * 7) % rows) })
        var gathered = product(x.factor, panels.factor, pairs: depth / 2, rows: rows, columns: columns)
        gathered.leftRows = UnsafePointer(order.base)
        var expected: [Float] = []
        for row in order.contents { expected += whole[Int(row) * columns..<(Int(row) + 1) * columns] }
        let actual = multiply(gathered, kernels)
        #expect(actual == expected)
        withExtendedLifetime((panels, order)) {}
    }

    /// The order of additions is the same in every set; portable kernels round each product of a pair.
    @Test(arguments: KernelSet.available)
    func `every set adds in the order of the scalar definition`(set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 23)
        let (rows, columns, depth) = (7, 33, 600)
        let x = Rounded(rows: rows, columns: depth, kernels, &random)
        let weight = Rounded(rows: columns, columns: depth, kernels, &random)
        let panels = weight.columnPanels(kernels)
        let actual = multiply(
            product(x.factor, panels.factor, pairs: depth / 2, rows: rows, columns: columns), kernels)
        let isFused = set != .portable
        func add(_ a: Float, _ b: Float, to sum: Float) -> Float { isFused ? fmaf(a, b, sum) : a * b + sum }
        let expected = (0..<rows * columns).map { index in
            var total: Float = 0
            for start in stride(from: 0, to: depth, by: 2 * PairProduct.chunkPairs) {
                var sum: Float = 0
                for k in stride(from: start, to: min(start + 2 * PairProduct.chunkPairs, depth), by: 2) {
                    for place in [k + 1, k] {
                        sum = add(
                            Float(weight.value(index % columns, place)), Float(x.value(index / columns, place)), to: sum
                        )
                    }
                }
                total += sum
            }
            return total
        }
        #expect(actual == expected)
        withExtendedLifetime(panels) {}
    }

    @Test(arguments: KernelSet.available)
    func `numbers are rounded to the nearest bfloat16, ties to even`(set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 24)
        var values: [Float] = [0, -0.0, 1, 1.001953125, 1.005859375, .infinity, -.infinity, 3.4e38, 65_280, -1e-30]
        values += random.floats(55)
        let out = Buffer<UInt16>(count: values.count + 1)
        out.base[values.count] = 7
        kernels.round(values, count: values.count, into: out.base)
        for (index, value) in values.enumerated() {
            let bits = value.bitPattern
            let half: UInt32 = 0x7fff + (bits >> 16 & 1)
            let rounded = value.isInfinite ? bits >> 16 : (bits + half) >> 16
            #expect(out.base[index] == UInt16(rounded), "\(value)")
        }
        #expect(out.base[values.count] == 7)
        let back = Buffer<Float>(count: values.count)
        kernels.widen(out.base, count: values.count, into: back.base)
        for index in values.indices { #expect(back.base[index].bitPattern == UInt32(out.base[index]) << 16) }
        kernels.round([Float.nan], count: 1, into: out.base)
        kernels.widen(out.base, count: 1, into: back.base)
        #expect(back.base[0].isNaN)
    }
}
