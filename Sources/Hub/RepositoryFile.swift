/// A file of a repository at one commit.
struct RepositoryFile: Sendable, Hashable {
    /// The path relative to the repository's root; it cannot leave the folder that the file is written to.
    let path: String
    let bytes: Int
    /// The hash of the content, which is also its name in the cache.
    let digest: ContentDigest

    /// Returns whether a path in the Hub's reply stays inside the folder that the file is written to, on any file system, and
    /// can be printed.
    static func isSafe(_ path: String) -> Bool {
        (1...1024).contains(path.utf8.count)
            && path.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\\" }
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
            }
    }
}
