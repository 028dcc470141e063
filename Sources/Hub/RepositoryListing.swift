import Basics
import JSON

/// The commit of a revision and its files, as described by the Hub.
struct RepositoryListing: Sendable, Hashable {
    let commit: String
    let files: [RepositoryFile]

    /// The maximum size of a reply in bytes: more than a hundred bytes for each file.
    static let largestAnswer = 16 << 20
    private static let mostFiles = 20_000
    private static let mostValues = 1_000_000
    /// The maximum size of a file: 2^48 bytes.
    private static let largestFile = 1 << 48

    /// Parses the reply to `/api/models/{repository}/revision/{revision}?blobs=true`.
    ///
    /// - Throws: `HubError.listing` if the reply is not as documented, or has a path that leaves its folder.
    init(_ bytes: [UInt8], of reference: HubReference) throws(HubError) {
        func refused(_ reason: String) -> HubError { .listing(reference.repository, reason: reason) }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: bytes, limits: JSONLimits(values: Self.mostValues))
        } catch {
            throw refused("\(error)")
        }
        guard let commit = json["sha"]?.string, ContentDigest.isCommit(commit) else {
            throw refused("it has no commit")
        }
        if let revision = reference.revision, ContentDigest.isCommit(revision), revision != commit {
            throw refused("it is about commit \(commit)")
        }
        guard case .array(let siblings)? = json["siblings"] else { throw refused("it has no list of files") }
        guard siblings.count <= Self.mostFiles else {
            throw refused("it has \(siblings.count) files, more than the limit of \(Self.mostFiles)")
        }
        self.commit = commit
        var files: [RepositoryFile] = []
        for sibling in siblings {
            guard let path = sibling["rfilename"]?.string else { throw refused("a file has no name") }
            guard RepositoryFile.isSafe(path) else {
                throw refused("a file has a name that is no path inside of the repository: '\(path.printable())'")
            }
            guard let size = sibling["size"]?.integer, let digest = Self.digest(sibling) else {
                throw refused("\(path) has no size or no hash")
            }
            guard (0...Self.largestFile).contains(size) else {
                throw refused("\(path) has \(size) bytes, expected 0 to \(Self.largestFile)")
            }
            files.append(RepositoryFile(path: path, bytes: size, digest: digest))
        }
        self.files = files
    }

    private static func digest(_ file: JSONValue) -> ContentDigest? {
        if let large = file["lfs"], !large.isNull {
            return (large["sha256"]?.string).flatMap { ContentDigest(.sha256, hex: $0) }
        }
        return (file["blobId"]?.string).flatMap { ContentDigest(.gitBlob, hex: $0) }
    }
}
