/// Texts of distinct elements, and sets of them, by number. Equal texts have the same number, so that stacks can be compared.
struct DistinctTexts {
    private struct Text: Hashable {
        var parent: Int32
        var byte: UInt8
    }

    private struct TextSet: Hashable {
        var parent: Int32
        var text: Int32
    }

    /// The empty text, and the empty set.
    static let empty: Int32 = 0
    /// A set to which no further text can be added.
    static let closed: Int32 = -1

    private var texts = [Text(parent: -1, byte: 0)]
    private var sizes: [Int32] = [0]
    /// For each text, whether another text begins with it.
    private var isContinued = [false]
    private var textNumbers: [Text: Int32] = [:]
    private var sets = [TextSet(parent: -1, text: 0)]
    private var setNumbers: [TextSet: Int32] = [:]

    /// Approximate memory in bytes.
    var bytes: Int { texts.count * 48 + sets.count * 48 }

    /// A text extended by one byte.
    mutating func text(_ text: Int32, and byte: UInt8) -> Int32 {
        let key = Text(parent: text, byte: byte)
        if let number = textNumbers[key] { return number }
        textNumbers[key] = Int32(texts.count)
        texts.append(key)
        sizes.append(sizes[Int(text)] + 1)
        isContinued[Int(text)] = true
        isContinued.append(false)
        return Int32(texts.count - 1)
    }

    /// The set with one more text.
    mutating func set(_ set: Int32, and text: Int32) -> Int32 {
        let key = TextSet(parent: set, text: text)
        if let number = setNumbers[key] { return number }
        setNumbers[key] = Int32(sets.count)
        sets.append(key)
        return Int32(sets.count - 1)
    }

    /// Whether longer texts that begin with this one are known: most unfinished texts have no others.
    func hasLonger(_ text: Int32) -> Bool { isContinued[Int(text)] }

    /// The number of bytes by which a text is longer than another one.
    func distance(_ longer: Int32, _ text: Int32) -> Int { max(0, Int(sizes[Int(longer)] - sizes[Int(text)])) }

    /// The texts of a set. O(texts).
    func members(of set: Int32) -> [Int32] {
        var members: [Int32] = []
        var set = set
        while set > 0 {
            members.append(sets[Int(set)].text)
            set = sets[Int(set)].parent
        }
        return members
    }

    /// Whether `longer` begins with `text`. O(bytes).
    func begins(_ longer: Int32, with text: Int32) -> Bool {
        var number = longer
        while sizes[Int(number)] > sizes[Int(text)] { number = texts[Int(number)].parent }
        return number == text
    }

    /// The text that a set has last got, and the set before.
    func last(of set: Int32) -> (text: Int32, before: Int32) {
        (sets[Int(set)].text, sets[Int(set)].parent)
    }

    /// The bytes of `longer` after `text`, with which it must begin. O(bytes).
    func rest(of longer: Int32, behind text: Int32) -> [UInt8] {
        var (rest, number) = ([UInt8](), longer)
        while sizes[Int(number)] > sizes[Int(text)] {
            rest.append(texts[Int(number)].byte)
            number = texts[Int(number)].parent
        }
        return rest.reversed()
    }

    /// Drops all texts and sets except the given ones and those they consist of. Returns the new number of each.
    mutating func keep(texts keptTexts: [Int32], sets keptSets: [Int32]) -> (texts: [Int32], sets: [Int32]) {
        var (isText, isSet) = (
            [Bool](repeating: false, count: texts.count), [Bool](repeating: false, count: sets.count)
        )
        (isText[0], isSet[0]) = (true, true)
        for start in keptSets {
            var set = start
            while set > 0, !isSet[Int(set)] {
                isSet[Int(set)] = true
                set = sets[Int(set)].parent
            }
        }
        for start in keptTexts + sets.indices.filter({ isSet[$0] }).map({ sets[$0].text }) {
            var text = start
            while text > 0, !isText[Int(text)] {
                isText[Int(text)] = true
                text = texts[Int(text)].parent
            }
        }
        let old = self
        self = DistinctTexts()
        var (textNumbers, setNumbers) = (
            [Int32](repeating: 0, count: isText.count), [Int32](repeating: 0, count: isSet.count)
        )
        // A text or set comes after those it consists of.
        for index in isText.indices.dropFirst() where isText[index] {
            let one = old.texts[index]
            textNumbers[index] = text(textNumbers[Int(one.parent)], and: one.byte)
        }
        for index in isSet.indices.dropFirst() where isSet[index] {
            let one = old.sets[index]
            setNumbers[index] = set(setNumbers[Int(one.parent)], and: textNumbers[Int(one.text)])
        }
        return (textNumbers, setNumbers)
    }
}
