/// A model in the cache.
public struct CachedModel: Sendable, Hashable {
    /// One revision of it.
    public struct Revision: Sendable, Hashable {
        public let commit: String
        /// Branches and tags that were this commit when they were last looked up.
        public let names: [String]
        /// The files whose content is there, with their sizes in bytes.
        public let files: [File]

        /// The size of the files in bytes; other revisions may share them.
        public var bytes: Int { files.reduce(0) { $0 + $1.bytes } }
    }

    /// A file of a revision.
    public struct File: Sendable, Hashable {
        public let path: String
        public let bytes: Int
    }

    /// Owner and name.
    public let repository: String
    public let revisions: [Revision]
    /// The bytes of downloads that did not end.
    public let incompleteBytes: Int
}
