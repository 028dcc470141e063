import Engine

/// Loops over float32 vectors, each with a fixed order of additions.
enum Vectors {
    /// Returns the sum of a_i b_i.
    @inline(__always)
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
        var sums = SIMD8<Float>.zero
        var index = 0
        while index &+ 8 <= count {
            sums += load(a + index) * load(b + index)
            index &+= 8
        }
        var total = sums.sum()
        while index < count {
            total += a[index] * b[index]
            index &+= 1
        }
        return total
    }

    /// Adds factor times source to target.
    @inline(__always)
    static func add(
        _ source: UnsafePointer<Float>, times factor: Float, to target: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        for index in 0..<count { target[index] += factor * source[index] }
    }

    /// Returns the sum of the squares, in float64.
    static func squareSum(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
        var sums = SIMD8<Double>.zero
        var index = 0
        while index &+ 8 <= count {
            let values = SIMD8<Double>(load(x + index))
            sums += values * values
            index &+= 8
        }
        var total = sums.sum()
        while index < count {
            total += Double(x[index]) * Double(x[index])
            index &+= 1
        }
        return total
    }

    @inline(__always)
    private static func load(_ pointer: UnsafePointer<Float>) -> SIMD8<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
    }
}

extension WorkerPool {
    /// The number of positions in a piece. Sums over positions are added piece by piece, in order, for any number of threads.
    static let pieceSize = 512

    /// Calls `body` with (piece, range) for pieces of a fixed size that cover 0 ..< count.
    func forEachPiece(of count: Int, size: Int = pieceSize, _ body: (Int, Range<Int>) -> Void) {
        parallelFor(chunks: (count + size - 1) / size) { piece in
            body(piece, piece * size..<min((piece + 1) * size, count))
        }
    }
}
