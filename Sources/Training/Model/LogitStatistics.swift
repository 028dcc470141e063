/// The magnitudes of logits. Growing magnitudes are a sign of an unstable run.
public struct LogitStatistics: Sendable, Equatable {
    public var largest = 0.0
    /// The sum of all magnitudes, and their number.
    public var sum = 0.0
    public var count = 0

    public var mean: Double { count > 0 ? sum / Double(count) : 0 }

    mutating func add(_ other: LogitStatistics) {
        largest = max(largest, other.largest)
        sum += other.sum
        count += other.count
    }

    /// Computes the statistics of one position.
    init(_ logits: UnsafePointer<Float>, _ count: Int) {
        var (largest, sums) = (SIMD16<Float>(), SIMD16<Float>())
        var index = 0
        while index + 16 <= count {
            let magnitudes = UnsafeRawPointer(logits + index).loadUnaligned(as: SIMD16<Float>.self)
            let positive = magnitudes.replacing(with: -magnitudes, where: magnitudes .< 0)
            largest.replace(with: positive, where: positive .> largest)
            sums += positive
            index += 16
        }
        var (rest, top) = (sums.sum(), largest.max())
        while index < count {
            (rest, top) = (rest + abs(logits[index]), max(top, abs(logits[index])))
            index += 1
        }
        (self.largest, sum, self.count) = (Double(top), Double(rest), count)
    }

    init() {}
}
