import JSON

/// The parts of JSON (RFC 8259). Between tokens it allows only nothing, a space, or a line break with indentation, so that a
/// reply cannot consist of endless white space.
struct JSONGrammar {
    let space: GrammarBuilder.Part
    /// Any character of a string, string, number, or value.
    let character: GrammarBuilder.Part
    let string: GrammarBuilder.Part
    let number: GrammarBuilder.Part
    let integer: GrammarBuilder.Part
    let value: GrammarBuilder.Part
    let object: GrammarBuilder.Part

    init(_ builder: inout GrammarBuilder) throws(GrammarError) {
        let indentation = GrammarBuilder.Part.times(.bytes(ByteSet(0x20...0x20)), least: 0, most: 32)
        space = try builder.rule(.choice([.nothing, .text(" "), .sequence([.text("\n"), indentation])]))
        let character = try Self.anyCharacter(&builder)
        self.character = character
        string = try builder.rule(
            .sequence([.text("\""), .times(character, least: 0, most: nil), .text("\"")]), isLexeme: true)
        integer = try builder.rule(
            .sequence([.optional(.text("-")), NumberDigits.integer(([], nil))]), isLexeme: true)
        number = try builder.rule(
            .sequence([integer, .optional(Self.fraction), .optional(Self.exponent)]), isLexeme: true)
        let any = builder.declare()
        value = .rule(any)
        let members = try Self.list(
            .sequence([string, .text(":"), space, value]), least: 0, most: nil, space, &builder)
        object = try builder.rule(.sequence([.text("{"), members, .text("}")]))
        let elements = try Self.list(value, least: 0, most: nil, space, &builder)
        let array = try builder.rule(.sequence([.text("["), elements, .text("]")]))
        try builder.define(
            any, .choice([object, array, string, number, .text("true"), .text("false"), .text("null")]))
    }

    /// A list of values, with commas between them and white space around it.
    static func list(
        _ item: GrammarBuilder.Part, least: Int, most: Int?, _ space: GrammarBuilder.Part,
        _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> GrammarBuilder.Part {
        if most == 0 { return space }
        let more = try builder.rule(.sequence([.text(","), space, item]))
        let items = GrammarBuilder.Part.sequence([
            space, item, .times(more, least: max(least - 1, 0), most: most.map { $0 - 1 }), space,
        ])
        return least > 0 ? items : .choice([items, space])
    }

    static let fraction = GrammarBuilder.Part.sequence([
        .text("."), .times(.bytes(ByteSet(0x30...0x39)), least: 1, most: NumberRange.mostDigits),
    ])
    private static let exponent = GrammarBuilder.Part.sequence([
        .choice([.text("e"), .text("E")]), .optional(.choice([.text("+"), .text("-")])),
        .times(.bytes(ByteSet(0x30...0x39)), least: 1, most: 2),
    ])

    /// One character of a string, in any of JSON's notations.
    private static func anyCharacter(_ builder: inout GrammarBuilder) throws(GrammarError) -> GrammarBuilder.Part {
        var hexadecimal = ByteSet(0x30...0x39)
        for letter in "abcdefABCDEF".utf8 { hexadecimal.insert(letter) }
        var notSurrogate = ByteSet(0x30...0x39)
        for letter in "abcefABCEF".utf8 { notSurrogate.insert(letter) }
        var simple = ByteSet()
        for letter in "\"\\/bfnrt".utf8 { simple.insert(letter) }
        let digit = GrammarBuilder.Part.bytes(hexadecimal)
        let code = GrammarBuilder.Part.choice([
            .sequence([.bytes(notSurrogate), digit, digit, digit]),
            .sequence([.choice([.text("d"), .text("D")]), .bytes(ByteSet(0x30...0x37)), digit, digit]),
        ])
        return try builder.rule(
            .choice([
                plain.utf8, .sequence([.text("\\"), .bytes(simple)]), .sequence([.text("\\u"), code]),
            ]))
    }

    /// Characters that need no escape in a string.
    private static let plain = CharacterRanges.all.subtracting(CharacterRanges(0...0x1F)).subtracting(
        CharacterRanges("\"")
    ).subtracting(CharacterRanges("\\"))

    /// Characters inside a string, each in a single notation.
    static func write(_ ranges: CharacterRanges) -> GrammarBuilder.Part {
        let escaped = ranges.subtracting(plain)
        let direct = ranges.subtracting(escaped)
        var choices: [GrammarBuilder.Part] =
            if direct.ranges.isEmpty { [] } else if case .choice(let parts) = direct.utf8 { parts } else {
                [direct.utf8]
            }
        for range in escaped.ranges {
            for value in range {
                guard let scalar = Unicode.Scalar(value) else { continue }
                var text: [UInt8] = []
                JSONValue.writeString(String(Character(scalar)), to: &text)
                choices.append(.literal(Array(text.dropFirst().dropLast())))
            }
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }
}
