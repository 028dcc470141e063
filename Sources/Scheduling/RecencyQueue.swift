/// A queue of numbers, ordered from oldest to newest, from which any number can be removed. Every operation is O(1).
///
/// It is a doubly linked list stored in arrays, in which a number is the index of its node.
struct RecencyQueue: Sendable {
    /// The numbers before and after each number, (capacity), or `end` if there is none.
    private var previous: [Int32]
    private var next: [Int32]
    private var isIn: [Bool]
    private var first = end
    private var last = end

    private static let end: Int32 = -1

    /// - Parameter capacity: The exclusive upper bound of the numbers.
    init(capacity: Int) {
        previous = Array(repeating: Self.end, count: capacity)
        next = previous
        isIn = Array(repeating: false, count: capacity)
    }

    func contains(_ number: Int32) -> Bool { isIn[Int(number)] }

    /// Appends `number` as the newest.
    mutating func append(_ number: Int32) {
        precondition(!contains(number), "a number is queued once")
        previous[Int(number)] = last
        next[Int(number)] = Self.end
        if last == Self.end { first = number } else { next[Int(last)] = number }
        last = number
        isIn[Int(number)] = true
    }

    mutating func remove(_ number: Int32) {
        precondition(contains(number), "only a queued number can leave")
        let (before, after) = (previous[Int(number)], next[Int(number)])
        if before == Self.end { first = after } else { next[Int(before)] = after }
        if after == Self.end { last = before } else { previous[Int(after)] = before }
        isIn[Int(number)] = false
    }

    /// Removes and returns the oldest number, or `nil` if the queue is empty.
    mutating func popFirst() -> Int32? {
        guard first != Self.end else { return nil }
        let number = first
        remove(number)
        return number
    }
}
