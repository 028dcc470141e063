/// A list of CPU numbers in the notation of Linux and of `--cpus`: `0-3,8,10-11`.
public struct CPUList: Sendable, Hashable, CustomStringConvertible {
    /// The numbers in ascending order, without repetitions.
    public let numbers: [Int]

    /// Linux supports at most 8192 CPUs.
    private static let limit = 8192

    public init(_ numbers: some Sequence<Int>) {
        self.numbers = Set(numbers).sorted()
    }

    /// - Returns: `nil` if the text is not such a list or has a number of 8192 or more. An empty text is an empty list.
    public init?(_ text: some StringProtocol) {
        var numbers: [Int] = []
        for field in text.split(separator: ",", omittingEmptySubsequences: !text.contains(",")) {
            let bounds = field.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard bounds.count <= 2, let first = bounds[0], let last = bounds[bounds.count - 1],
                0 <= first, first <= last, last < Self.limit
            else { return nil }
            numbers += first...last
        }
        self.init(numbers)
    }

    public var description: String {
        var runs: [ClosedRange<Int>] = []
        for number in numbers {
            if let run = runs.last, run.upperBound + 1 == number {
                runs[runs.count - 1] = run.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
