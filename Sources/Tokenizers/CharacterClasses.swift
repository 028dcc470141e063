/// A set of the character categories that split patterns distinguish.
struct CharacterClass: OptionSet, Hashable, Sendable {
    let rawValue: UInt16

    init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Creates the set of one category, numbered as in the run table.
    init(category: UInt8) {
        rawValue = 1 << category
    }

    /// Every character.
    static let any = CharacterClass(rawValue: .max)
    /// `\s`: the property White_Space.
    static let space = CharacterClass(category: 1)
    /// `\p{Lu}` and `\p{Lt}`.
    static let uppercase = CharacterClass(category: 2)
    /// `\p{Ll}`.
    static let lowercase = CharacterClass(category: 3)
    /// `\p{Lm}` and `\p{Lo}`.
    static let uncased = CharacterClass(category: 4)
    /// `\p{M}`.
    static let mark = CharacterClass(category: 5)
    /// `\p{Nd}`.
    static let decimalDigit = CharacterClass(category: 6)
    /// `\p{No}` except the six in Latin-1.
    static let otherNumber = CharacterClass(category: 7)
    /// `\p{Pc}`, punctuation that is part of words.
    static let connector = CharacterClass(category: 8)
    static let otherPunctuation = CharacterClass(category: 9)
    static let otherSymbol = CharacterClass(category: 10)
    /// Circled and squared letters: the part of `\p{So}` that belongs to words.
    static let letterSymbol = CharacterClass(category: 11)
    /// `\p{Nl}` and the Latin-1 characters in `\p{No}`: numbers other than digits that are part of words.
    static let letterNumber = CharacterClass(category: 12)

    /// `\p{L}`.
    static let letter: CharacterClass = [.uppercase, .lowercase, .uncased]
    /// `\p{N}`.
    static let number: CharacterClass = [.decimalDigit, .letterNumber, .otherNumber]
    /// `\p{P}`.
    static let punctuation: CharacterClass = [.connector, .otherPunctuation]
    /// `\p{S}`.
    static let symbol: CharacterClass = [.otherSymbol, .letterSymbol]
    /// `\w`.
    static let word: CharacterClass = [.letter, .mark, .decimalDigit, .letterNumber, .connector, .letterSymbol]

    func intersects(_ other: CharacterClass) -> Bool {
        rawValue & other.rawValue != 0
    }
}

/// The category of each code point, as a two-stage table of Unicode 16.0.
///
/// Tokenizers are trained with a fixed version of Unicode. The properties of the standard library change with the toolchain,
/// which would change how a text is split.
struct CharacterClasses: Sendable {
    static let unicode16 = CharacterClasses(runs: unicode16Runs)

    /// The block of `categories` for each 256 code points.
    private let blocks: [UInt8]
    private let categories: [UInt8]

    subscript(scalar: UInt32) -> CharacterClass {
        let block = Int(blocks[Int(scalar >> 8)])
        return CharacterClass(category: categories[block << 8 | Int(scalar & 0xFF)])
    }

    private init(runs: StaticString) {
        var blocks: [UInt8] = []
        var categories: [UInt8] = []
        var known: [[UInt8]: UInt8] = [:]
        var block: [UInt8] = []
        block.reserveCapacity(256)
        for (category, count) in CharacterClasses.decode(runs) {
            var left = count
            while left > 0 {
                let added = min(left, 256 - block.count)
                block.append(contentsOf: repeatElement(category, count: added))
                left -= added
                guard block.count == 256 else { continue }
                let index = known[block] ?? UInt8(known.count)
                if known.updateValue(index, forKey: block) == nil { categories += block }
                blocks.append(index)
                block.removeAll(keepingCapacity: true)
            }
        }
        precondition(blocks.count == 0x1100, "the runs cover all of Unicode")
        self.blocks = blocks
        self.categories = categories
    }

    private static func decode(_ runs: StaticString) -> [(category: UInt8, count: Int)] {
        var result: [(category: UInt8, count: Int)] = []
        var digits = 0
        func closeRun() {
            if digits == 0, !result.isEmpty { result[result.count - 1].count = 1 }
            digits = 0
        }
        runs.withUTF8Buffer { text in
            for byte in text {
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"):
                    closeRun()
                    result.append((byte - UInt8(ascii: "A"), 0))
                default:
                    let digit = byte < UInt8(ascii: "a") ? byte - UInt8(ascii: "0") : byte - UInt8(ascii: "a") + 10
                    result[result.count - 1].count = result[result.count - 1].count * 36 + Int(digit)
                    digits += 1
                }
            }
        }
        closeRun()
        return result
    }
}
