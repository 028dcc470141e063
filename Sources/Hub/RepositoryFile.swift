/// A file of a repository at one commit.
struct RepositoryFile: Sendable, Hashable {
    /// The path relative to the repository's root; it cannot leave the folder that the file is written to.
    let path: String
    let bytes: Int
    /// The hash of the content, which is also its name in the cache.
    let digest: ContentDigest

    /// Returns whether a path in the Hub's reply stays inside the folder that the file is written to, on any file system.
    static func isSafe(_ path: String) -> Bool {
        (1...1024).contains(path.utf8.count)
            && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
            }
    }
}
