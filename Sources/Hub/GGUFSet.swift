/// One GGUF file of a repository, or all parts of one that was split (`NAME-00001-of-00002.gguf`).
struct GGUFSet {
    /// The folder in the repository, with a slash at its end; empty for the repository itself.
    private let folder: String
    /// The name without folder, part and extension.
    let name: String
    /// The files that are there, in the order of their parts.
    private(set) var files: [String]
    /// The number of parts in the name of a split file.
    private let parts: Int

    /// The name with the folder.
    var path: String { folder + name }

    /// Whether every part is there.
    var isComplete: Bool { files.count == parts }

    private static let mostListed = 20

    /// The models among `names`, without projectors for images and importance matrices, which are no models.
    static func all(in names: [String]) -> [GGUFSet] {
        var sets: [String: GGUFSet] = [:]
        for path in names.sorted() where path.lowercased().hasSuffix(".gguf") {
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            let stem = path.dropFirst(folder.count).dropLast(".gguf".count)
            guard !stem.lowercased().contains("mmproj"), !stem.lowercased().contains("imatrix") else { continue }
            let (name, part, parts) = split(stem)
            let key = "\(folder)\(name)/\(parts)"
            var set = sets[key] ?? GGUFSet(folder: String(folder), name: name, files: [], parts: parts)
            // Names differ, so as many files as parts are all of them.
            if (1...max(parts, 1)).contains(part) { set.files.append(path) }
            sets[key] = set
        }
        return sets.values.sorted { $0.path < $1.path }
    }

    /// Whether the quantization is a whole word of the name: `Q4_K` is not in `model-Q4_K_M`. A word ends at hyphens and dots.
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

    /// The names for an error message.
    static func list(_ sets: [GGUFSet]) -> String {
        let names = sets.prefix(mostListed).map(\.path).joined(separator: ", ")
        return sets.count > mostListed ? "\(names) and \(sets.count - mostListed) more" : names
    }

    /// `NAME-00001-of-00002` as its parts; any other name is part 1 of 1.
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
