// Scans over the logits of one row, which is as long as the vocabulary.
import Foundation

extension UnsafeBufferPointer<Float> {
    /// The largest element; `nil` when there are none or one of them is NaN.
    func largest() -> Float? {
        guard var best = first else { return nil }
        var isNumber = true
        var index = 0
        if count >= 16 {
            var lanes = SIMD16<Float>(repeating: -.infinity)
            var isNaN = SIMDMask<SIMD16<Int32>>(repeating: false)
            let bytes = UnsafeRawBufferPointer(self)
            while index + 16 <= count {
                let chunk = bytes.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
                lanes.replace(with: chunk, where: chunk .> lanes)
                isNaN .|= chunk .!= chunk
                index += 16
            }
            best = lanes.max()
            isNumber = isNaN == SIMDMask(repeating: false)
        }
        while index < count {
            let value = self[index]
            if value > best { best = value }
            isNumber = isNumber && value == value
            index += 1
        }
        return isNumber ? best : nil
    }

    /// How many elements are above `bound`.
    func count(above bound: Float) -> Int {
        var total = 0
        for value in self { total &+= value > bound ? 1 : 0 }
        return total
    }

    /// log(sum(exp(element - maximum))), summed in slices of fixed length so that the result never depends on how the
    /// work is shared out.
    func logSumExp(maximum: Float) -> Double {
        let slice = 4096
        var total = 0.0
        for start in stride(from: 0, to: count, by: slice) {
            var sum = 0.0
            for index in start..<Swift.min(start + slice, count) { sum += exp(Double(self[index]) - Double(maximum)) }
            total += sum
        }
        return log(total)
    }

    /// The `k`-th largest element, counting equal ones, `k` in 1...count; O(count log k), and near O(count) for small k.
    func largest(_ k: Int) -> Float {
        // A heap of the k largest so far, the least of them at the root.
        var heap = MinimumHeap(self[..<k])
        for index in k..<count where self[index] > heap.minimum { heap.replaceMinimum(with: self[index]) }
        return heap.minimum
    }

    /// Ids of the `n` largest elements, largest first, the lower id first among equals.
    func largestIDs(_ n: Int) -> [Int32] {
        guard n > 0 else { return [] }
        var ids: [Int32] = []
        // The least logit that is still listed, once the list is full.
        var bound = -Float.infinity
        for index in indices where ids.count < n || self[index] > bound {
            if ids.count == n { ids.removeLast() }
            let place = ids.firstIndex { self[Int($0)] < self[index] } ?? ids.count
            ids.insert(Int32(index), at: place)
            bound = self[Int(ids[ids.count - 1])]
        }
        return ids
    }
}

/// A binary heap of fixed size.
private struct MinimumHeap {
    private var elements: [Float]

    init(_ elements: some Sequence<Float>) {
        // An ascending array is a heap.
        self.elements = elements.sorted()
    }

    var minimum: Float { elements[0] }

    mutating func replaceMinimum(with value: Float) {
        elements.withUnsafeMutableBufferPointer { elements in
            var hole = 0
            while true {
                var child = 2 * hole + 1
                guard child < elements.count else { break }
                if child + 1 < elements.count && elements[child + 1] < elements[child] { child += 1 }
                guard elements[child] < value else { break }
                elements[hole] = elements[child]
                hole = child
            }
            elements[hole] = value
        }
    }
}
