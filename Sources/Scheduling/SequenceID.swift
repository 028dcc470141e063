/// The id of one sequence (one choice of one prompt of one request) from submission to its last event.
///
/// Ids are assigned in order of arrival and never reused within a process.
public struct SequenceID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.rawValue < right.rawValue
    }

    public var description: String { "sequence-\(rawValue)" }
}
