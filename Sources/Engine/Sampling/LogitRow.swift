// Functions that scan one row of logits, which is as long as the vocabulary.
import Foundation

extension UnsafeBufferPointer<Float> {
    /// Returns the largest element, or `nil` if there is none or one of them is NaN.
    package func largest() -> Float? {
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

    /// Returns the number of elements above `bound`.
    func count(above bound: Float) -> Int {
        var total = 0
        for value in self { total &+= value > bound ? 1 : 0 }
        return total
    }

    /// Returns log(sum(exp(element - maximum))), summed in slices of fixed length so that the result does not depend on the
    /// threads.
    func logSumExp(maximum: Float) -> Double {
        let slice = 4096
        let total = withUnsafeTemporaryAllocation(of: Double.self, capacity: slice) { scratch in
            guard let scratch = scratch.baseAddress else { return 0.0 }
            var total = 0.0
            for start in stride(from: 0, to: count, by: slice) {
                let length = Swift.min(slice, count - start)
                for index in 0..<length {
                    (scratch + index).initialize(to: Double(self[start + index]) - Double(maximum))
                }
                Exponential.apply(to: scratch, count: length)
                var sum = 0.0
                for index in 0..<length { sum += scratch[index] }
                total += sum
            }
            return total
        }
        return log(total)
    }

    /// Returns the `k`-th largest element, counting equal elements separately. O(count).
    ///
    /// - Precondition: `k` is in 1...count, `maximum` is the largest element, and no element is NaN.
    func largest(_ k: Int, maximum: Float) -> Float {
        // Elements are counted by the upper half of their keys. Then those in the bucket of the k-th element are counted by the
        // lower half.
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 1 << 16) { counts in
            // This is faster than initialize(repeating:) in debug builds.
            func clear() {
                if let address = counts.baseAddress { memset(address, 0, counts.count * MemoryLayout<UInt32>.stride) }
            }
            var above = 0
            func bucketOfThe(_ k: Int, from start: Int) -> UInt32 {
                var bucket = start
                while above + Int(counts[bucket]) < k {
                    above += Int(counts[bucket])
                    bucket -= 1
                }
                return UInt32(truncatingIfNeeded: bucket)
            }
            clear()
            for value in self { counts[Int(value.orderedKey >> 16)] &+= 1 }
            let upper = bucketOfThe(k, from: Int(maximum.orderedKey >> 16))
            clear()
            for value in self where value.orderedKey >> 16 == upper { counts[Int(value.orderedKey & 0xffff)] &+= 1 }
            return Float(orderedKey: upper << 16 | bucketOfThe(k, from: 0xffff))
        }
    }

    /// Returns the ids of the `n` largest elements, the largest first. Of equal elements, the lower id comes first.
    func largestIDs(_ n: Int) -> [Int32] {
        guard n > 0 else { return [] }
        var ids: [Int32] = []
        // The smallest logit in the list, once the list is full.
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

extension Float {
    /// An integer that has the same order as the number.
    @inline(__always)
    fileprivate var orderedKey: UInt32 {
        // Adding 0 turns -0 into 0, because the two are equal.
        let bits = (self + 0).bitPattern
        return bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
    }

    /// Creates the number whose ``orderedKey`` is `key`.
    fileprivate init(orderedKey key: UInt32) {
        self.init(bitPattern: key & 0x8000_0000 == 0 ? ~key : key & 0x7fff_ffff)
    }
}
