/// One GGUF file of a repository, or all parts of a split file (`NAME-00001-of-00002.gguf`).
struct GGUFSet {
    /// The folder in the repository, with a trailing slash; empty for the root.
    private let folder: String
    /// The name without folder, part number and extension.
    let name: String
    /// The existing files, in the order of their parts.
    private(set) var files: [String]
    /// The number of parts, according to the name of a split file.
    private let parts: Int

    /// The name with the folder.
    var path: String { folder + name }

    /// Whether every part exists.
    var isComplete: Bool { files.count == parts }

    private static let mostListed = 20

    /// Returns the models among `names`, without image projectors and importance matrices, which are not models.
    static func all(in names: [String]) -> [GGUFSet] {
        var sets: [String: GGUFSet] = [:]
        for path in names.sorted() where path.lowercased().hasSuffix(".gguf") {
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            let stem = path.dropFirst(folder.count).dropLast(".gguf".count)
            guard !stem.lowercased().contains("mmproj"), !stem.lowercased().contains("imatrix") else { continue }
            let (name, part, parts) = split(stem)
            let key = "\(folder)\(name)/\(parts)"
            var set = sets[key] ?? GGUFSet(folder: String(folder), name: name, files: [], parts: parts)
            // The names are different, so the set is complete when it has as many files as parts.
            if (1...max(parts, 1)).contains(part) { set.files.append(path) }
            sets[key] = set
        }
        return sets.values.sorted { $0.path < $1.path }
    }

    /// Returns whether the quantization is a whole word of the name: `Q4_K` is not a word of `model-Q4_K_M`. Words are separated
    /// by hyphens and dots.
    func has(_ quantization: String) -> Bool {
        let (name, word) = (name.lowercased(), quantization.lowercased())
        if name == word || name + ".gguf" == word { return true }
        let isEdge = { (character: Character?) in character == nil || character == "-" || character == "." }
        var rest = name[...]
        while let range = rest.firstRange(of: word) {
            let before = range.lowerBound == name.startIndex ? nil : name[name.index(before: range.lowerBound)]
            let after = range.upperBound == name.endIndex ? nil : name[range.upperBound]
            if isEdge(before), isEdge(after) { return true }
            rest = rest[name.index(after: range.lowerBound)...]
        }
        return false
    }

    /// Returns the names for an error message.
    static func list(_ sets: [GGUFSet]) -> String {
        let names = sets.prefix(mostListed).map(\.path).joined(separator: ", ")
        return sets.count > mostListed ? "\(names) and \(sets.count - mostListed) more" : names
    }

    /// Splits `NAME-00001-of-00002` into its parts; any other name is part 1 of 1.
    private static func split(_ stem: Substring) -> (name: String, part: Int, parts: Int) {
        let words = stem.split(separator: "-", omittingEmptySubsequences: false)
        guard words.count > 3, words[words.count - 2] == "of", let part = number(words[words.count - 3]),
            let parts = number(words[words.count - 1])
        else { return (String(stem), 1, 1) }
        return (words.dropLast(3).joined(separator: "-"), part, parts)
    }

    private static func number(_ word: Substring) -> Int? {
        word.utf8.count == 5 && word.utf8.allSatisfy { (48...57).contains($0) } ? Int(word) : nil
    }
}
