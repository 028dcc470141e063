/// The bytes (UTF-8) that a reply may consist of: a context-free grammar whose rules may call each other and themselves.
///
/// Made by ``GrammarBuilder``. A rule is a choice of sequences, which lie one after another in `elements`.
struct Grammar: Sendable {
    enum Element: Sendable, Hashable, Comparable {
        /// One byte of the set with this number.
        case bytes(Int32)
        case rule(Int32)
        /// The repetition with this number.
        case repetition(Int32)
        /// A rule whose text differs in each round of the repetition that it stands in.
        case distinct(Int32)
        case end
    }

    /// A rule that is read several times. The rounds are counted while reading, so that a large count costs nothing here.
    struct Repetition: Sendable, Hashable {
        var body: Int32
        /// 0 where the body may be empty: then fewer rounds read all that more rounds read, if those are not too many.
        var least: Int32
        /// `nil`: any number of rounds.
        var most: Int32?
        /// What is read in the first round instead of `body`.
        var first: Int32?
    }

    var elements: [Element] = []
    /// Whether each element is of a rule that is read alike wherever it stands, and long: a string. Masks of tokens inside
    /// such rules are shared.
    var isInLexeme: [Bool] = []
    var repetitions: [Repetition] = []
    var sets: [ByteSet] = []
    /// Where the sequences of all rules begin, rule by rule.
    var starts: [Int32] = []
    /// Where the sequences of each rule begin in `starts`, and behind the last one their number.
    var firstStarts: [Int32] = [0]
    var root: Int32 = 0
    /// Whether any element is distinct.
    var hasDistinct = false
    /// Whether line breaks and spaces may come first that are not of the text.
    var hasLayout = false

    /// Where the sequences of `rule` begin.
    func sequences(of rule: Int32) -> ArraySlice<Int32> {
        starts[Int(firstStarts[Int(rule)])..<Int(firstStarts[Int(rule) + 1])]
    }
}

/// Why something cannot be a grammar.
public struct GrammarError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where in what was given, such as `properties.name.pattern`; empty for all of it.
    public var path: String
    public var reason: String
    /// What kind of mistake it is: not part of the text.
    enum Kind: Sendable { case refused, exceedsLimit, allowsNothing }
    var kind = Kind.refused

    init(path: String, reason: String, kind: Kind = .refused) {
        (self.path, self.reason, self.kind) = (path, reason, kind)
    }

    /// Whether going on is of no use: a bound was exceeded, or the request has ended.
    var isLimit: Bool { kind == .exceedsLimit }

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }

    /// As many grammars are in use as there may be; the request may be sent again.
    public static let tooManyInUse = GrammarError(path: "", reason: "was not compiled: too many grammars are in use")

    /// The work was cancelled: nobody reads the error.
    static let cancelled = GrammarError(
        path: "", reason: "was not compiled: the request has ended", kind: .exceedsLimit)
}
