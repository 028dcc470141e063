/// The bytes (UTF-8) that a reply may consist of: a context-free grammar with recursion.
///
/// Created by ``GrammarBuilder``. A rule is a choice of sequences, which are stored consecutively in `elements`.
struct Grammar: Sendable {
    enum Element: Sendable, Hashable, Comparable {
        /// One byte of the set with this number.
        case bytes(Int32)
        case rule(Int32)
        /// The repetition with this number.
        case repetition(Int32)
        /// A rule whose text is different in each round of the enclosing repetition.
        case distinct(Int32)
        case end
    }

    /// A rule that is repeated. The rounds are counted while reading, so a large count adds no elements.
    struct Repetition: Sendable, Hashable {
        var body: Int32
        /// 0 if the body may be empty: then fewer rounds can read everything that more rounds can, up to the maximum.
        var least: Int32
        /// `nil`: any number of rounds.
        var most: Int32?
        /// The rule of the first round in place of `body`.
        var first: Int32?
    }

    var elements: [Element] = []
    /// For each element, whether it belongs to a lexeme: a rule for a long text, such as a string, that is read in the same way
    /// in every context. Masks of tokens inside such rules are shared.
    var isInLexeme: [Bool] = []
    var repetitions: [Repetition] = []
    var sets: [ByteSet] = []
    /// The index of the first element of each sequence, rule by rule.
    var starts: [Int32] = []
    /// The index of each rule's first sequence in `starts`, and finally the number of sequences.
    var firstStarts: [Int32] = [0]
    var root: Int32 = 0
    /// The rule behind the layout that `root` may begin with; `root` itself where it begins with none.
    var answer: Int32 = 0
    /// Whether any element is distinct.
    var hasDistinct = false

    /// Where the sequences of `rule` begin.
    func sequences(of rule: Int32) -> ArraySlice<Int32> {
        starts[Int(firstStarts[Int(rule)])..<Int(firstStarts[Int(rule) + 1])]
    }
}

/// Why a grammar cannot be compiled.
public struct GrammarError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path in the source, such as `properties.name.pattern`; empty for the whole source.
    public var path: String
    public var reason: String
    /// The kind of error, which is not part of the text.
    enum Kind: Sendable { case refused, exceedsLimit, allowsNothing }
    var kind = Kind.refused

    init(path: String, reason: String, kind: Kind = .refused) {
        (self.path, self.reason, self.kind) = (path, reason, kind)
    }

    /// Whether continuing is pointless: a bound was exceeded, or the request has ended.
    var isLimit: Bool { kind == .exceedsLimit }

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }

    /// The maximum number of grammars is in use; the request may be retried.
    public static let tooManyInUse = GrammarError(path: "", reason: "was not compiled: too many grammars are in use")

    /// The work was cancelled; the error is not reported.
    static let cancelled = GrammarError(
        path: "", reason: "was not compiled: the request has ended", kind: .exceedsLimit)
}
