/// A counter, optionally split by the values of one label.
struct Counter: Sendable {
    let name: String
    let help: String
    /// The label's name; `nil`: a single number.
    let label: String?
    private(set) var values: [(label: String, count: UInt64)]

    /// - Parameter values: all values of the label, so that each exists from the start with 0.
    init(_ name: String, _ help: String, label: String? = nil, values: [String] = [""]) {
        self.name = name
        self.help = help
        self.label = label
        self.values = values.map { ($0, 0) }
    }

    mutating func add(_ amount: UInt64 = 1, label: String = "") {
        guard let index = values.firstIndex(where: { $0.label == label }) else {
            preconditionFailure("\(name) has no label value \(label)")
        }
        values[index].count += amount
    }

    /// The total over all values of the label.
    var total: UInt64 { values.reduce(0) { $0 + $1.count } }
}

/// The number of observations by upper bound, and their sum.
struct Histogram: Sendable {
    let name: String
    let help: String
    let bounds: [Double]
    /// One count for each bound and one for larger values; not cumulative.
    private(set) var counts: [UInt64]
    private(set) var sum = 0.0

    init(_ name: String, _ help: String, bounds: [Double]) {
        self.name = name
        self.help = help
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// - Parameter counts: (bounds + 1), not cumulative.
    init(_ name: String, _ help: String, bounds: [Double], counts: [UInt64], sum: Double) {
        self.init(name, help, bounds: bounds)
        precondition(counts.count == bounds.count + 1, "a count for each bucket")
        (self.counts, self.sum) = (counts, sum)
    }

    mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    mutating func observe(_ duration: Duration) {
        observe(duration / .seconds(1))
    }
}

extension Histogram {
    /// 1, 2, 5, 10, ... up to the first value that is at least `limit`.
    static func bounds(upTo limit: Int) -> [Double] {
        var bounds: [Double] = []
        var scale = 1.0
        while true {
            for factor in [1.0, 2, 5] {
                bounds.append(factor * scale)
                if factor * scale >= Double(limit) { return bounds }
            }
            scale *= 10
        }
    }
}
