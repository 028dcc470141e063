/// A file of a repository at one commit.
struct RepositoryFile: Sendable, Hashable {
    /// Relative to the repository's root; it cannot leave the folder that it is put into.
    let path: String
    let bytes: Int
    /// The hash of its content, also the name of the content in the cache.
    let digest: ContentDigest

    /// Whether a path of the Hub's answer stays below the folder that it is put into, on any file system.
    static func isSafe(_ path: String) -> Bool {
        (1...1024).contains(path.utf8.count)
            && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
            }
    }
}
