import Testing

@Suite struct DocumentationTests {
    /// Members required by a protocol of the standard library: their meaning is defined by the protocol.
    static let prescribed: Set<Substring> = [
        "callAsFunction", "encode", "formIndex", "hash", "index", "makeIterator", "next",
    ]

    @Test func `public types and functions have a comment`() {
        for file in SourceFile.sources where !file.isIn("Sources/trinity") {
            for index in file.code.indices where Self.needsDocumentation(file.code[index]) {
                if !file.isDocumented(at: index) {
                    file.report("public and without a doc comment", at: index)
                }
            }
        }
    }

    @Test(
        arguments: [
            ("public struct A {", true), ("public enum A: Sendable {", true), ("    public enum Nested {", false),
            ("    public mutating func f() {", true), ("public static func < (a: A, b: A) -> Bool {", false),
            ("public subscript(name: String) -> A {", true), ("public var a: Int", false), ("public init() {}", false),
            ("func f() {", false), ("public func hash(into hasher: inout Hasher) {", false),
            ("public static func parse() {", true), ("@inlinable public func f() {", true),
        ] as [(String, Bool)])
    func `a declaration needs a comment unless its type or protocol explains it`(line: String, isNeeded: Bool) {
        #expect(Self.needsDocumentation(line) == isNeeded)
    }

    /// Initializers, properties and nested types are documented by their type; operators by protocols.
    static func needsDocumentation(_ line: String) -> Bool {
        guard line.contains("public ") else { return false }
        let isNested = line.first == " "
        let words = Code.words(line)
        guard let visibility = words.firstIndex(of: "public") else { return false }
        let modifiers: Set<Substring> = [
            "class", "consuming", "final", "indirect", "isolated", "mutating", "nonisolated", "nonmutating", "static",
        ]
        let declaration = words[(visibility + 1)...]
        let kinds: Set<Substring> = ["actor", "class", "enum", "func", "protocol", "struct", "subscript", "typealias"]
        guard
            let kind = declaration.first(where: {
                kinds.contains($0) && !($0 == "class" && declaration.contains("func"))
            }),
            declaration.prefix(while: { $0 != kind }).allSatisfy({ modifiers.contains($0) })
        else { return false }
        switch kind {
        case "func":
            guard let name = line.split(separator: "func ", maxSplits: 1).last?.first else { return false }
            let identifier = declaration.drop { $0 != "func" }.dropFirst().first ?? ""
            return (name.isLetter || name == "_" || name == "`") && !prescribed.contains(identifier)
        case "subscript": return true
        default: return !isNested
        }
    }
}

extension SourceFile {
    /// Whether a doc comment is directly above the declaration, ignoring attributes and conditions between them.
    func isDocumented(at index: Int) -> Bool {
        for line in lines[..<index].reversed() {
            let text = line.drop(while: \.isWhitespace)
            if text.hasPrefix("///") || text.hasPrefix("*/") { return true }
            if !text.hasPrefix("@") && !text.hasPrefix("#if") { return false }
        }
        return false
    }
}
