/// A model in the cache.
public struct CachedModel: Sendable, Hashable {
    /// One revision of the model.
    public struct Revision: Sendable, Hashable {
        public let commit: String
        /// The branches and tags that pointed to this commit when they were last looked up.
        public let names: [String]
        /// The files whose content is in the cache, with their sizes in bytes.
        public let files: [File]

        /// The size of the files in bytes; other revisions may share some of them.
        public var bytes: Int { files.reduce(0) { $0 + $1.bytes } }
    }

    /// A file of a revision.
    public struct File: Sendable, Hashable {
        public let path: String
        public let bytes: Int
    }

    /// The owner and the name.
    public let repository: String
    public let revisions: [Revision]
    /// The size of incomplete downloads in bytes.
    public let incompleteBytes: Int
}
