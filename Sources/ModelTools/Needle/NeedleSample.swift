/// One prompt of the needle test: needles in a haystack, and a question for one of them.
///
/// The form is that of RULER's `niah_multikey_1` (arXiv 2404.06654): several needles with different keys, one of which is asked
/// for. Keys, values and sentences depend only on the seed.
struct NeedleSample: Sendable {
    struct Needle: Sendable, Equatable {
        let key: String
        let value: String
        /// The position in the haystack, in percent of its sentences.
        let depth: Int
    }

    /// The needle that is asked for, followed by the others.
    let needles: [Needle]
    private let seed: UInt64

    static let needleCount = 4

    private static let head = """
        A special magic number is hidden within the following text. Make sure to memorize it. \
        I will quiz you about the number afterwards.

        """

    /// - Parameters:
    ///   - depth: the position of the needle that is asked for, in 0...100 percent. The other needles have random positions.
    ///   - digits: the number of decimal digits of a value, in 3...18.
    init(depth: Int, digits: Int, seed: UInt64) {
        var draw = SeededDraw(seed: seed)
        var keys: [String] = []
        var values: [Int] = []
        let smallest = (1..<digits).reduce(1) { product, _ in product * 10 }
        while keys.count < Self.needleCount {
            let key = draw.element(of: HaystackWords.adjectives) + "-" + draw.element(of: HaystackWords.nouns)
            let value = smallest + draw.below(9 * smallest)
            guard !keys.contains(key), !values.contains(value) else { continue }
            keys.append(key)
            values.append(value)
        }
        needles = keys.indices.map { index in
            Needle(key: keys[index], value: String(values[index]), depth: index == 0 ? depth : draw.below(101))
        }
        self.seed = draw.next()
    }

    var asked: Needle { needles[0] }

    var question: String { "What is the special magic number for \(asked.key) mentioned in the provided text?" }

    /// The beginning of the reply, for a model that only continues text.
    var replyPrefix: String { "The special magic number for \(asked.key) mentioned in the provided text is" }

    /// Returns the whole prompt, with `count` sentences of haystack.
    ///
    /// - Complexity: O(`count`).
    func prompt(sentences count: Int) -> String {
        var draw = SeededDraw(seed: seed)
        // Each needle is placed before the sentence with this index.
        let places = needles.map { (position: ($0.depth * count + 50) / 100, text: Self.text($0)) }
        var parts: [String] = []
        for index in 0...count {
            parts += places.filter { $0.position == index }.map(\.text)
            if index < count { parts.append(HaystackWords.sentence(&draw)) }
        }
        return Self.head + parts.joined(separator: " ") + "\n" + question
    }

    private static func text(_ needle: Needle) -> String {
        "One of the special magic numbers for \(needle.key) is: \(needle.value)."
    }
}

/// A generator of random numbers that depend only on the seed.
struct SeededDraw {
    let seed: UInt64
    private var count = 0

    init(seed: UInt64) { self.seed = seed }

    mutating func next() -> UInt64 {
        defer { count += 1 }
        return SyntheticBytes.word(seed, count)
    }

    /// Returns a random number in 0 ..< bound.
    mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func element<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }
}
