import Basics
import Foundation

/// The layout of the Hugging Face cache, and its atomic changes.
///
/// A repository's folder contains the files' contents by hash (`blobs`), the commit of each branch and tag (`refs`), and for each
/// commit a folder of links to the contents (`snapshots`).
struct HubCache {
    let directory: String
    /// The call of the system; tests replace it by one that fails.
    var symlink: @Sendable (_ target: String, _ path: String) -> Int32 = { Glibc.symlink($0, $1) }

    func folder(_ repository: String) -> String {
        "\(directory)/models--\(repository.split(separator: "/").joined(separator: "--"))"
    }

    /// Returns the repository of a folder with this name; `nil` for other folders of the cache.
    func repository(ofFolder name: String) -> String? {
        guard name.hasPrefix("models--") else { return nil }
        // Names do not contain two hyphens in a row.
        let text = String(name.dropFirst("models--".count)).replacing("--", with: "/", maxReplacements: 1)
        guard let reference = HubReference(text), reference.repository == text else { return nil }
        return text
    }

    func blob(_ digest: ContentDigest, of repository: String) -> String {
        "\(folder(repository))/blobs/\(digest.hex)"
    }

    func snapshot(_ commit: String, of repository: String) -> String { "\(folder(repository))/snapshots/\(commit)" }

    func locks(_ repository: String) -> String {
        "\(directory)/.locks/models--\(repository.split(separator: "/").joined(separator: "--"))"
    }

    /// Returns the path of the lock of a whole repository: shared by processes that add files, exclusive for a process that
    /// removes files.
    func lock(_ repository: String) -> String { "\(locks(repository))/repository.lock" }

    /// Checks before a download that its files can be added to a snapshot.
    ///
    /// - Throws: `HubError.noLinks` for a file system without symbolic links.
    func checkLinks(_ repository: String) throws(HubError) {
        let path = Self.temporary("\(folder(repository))/blobs/link")
        guard symlink("target", path) != 0 else {
            unlink(path)
            return
        }
        let number = errno
        guard [EPERM, ENOSYS, ENOTSUP].contains(number) else { throw .system(path: path, errno: number) }
        throw .noLinks(path: directory)
    }

    /// Creates the folders that a download writes to.
    func makeFolders(_ repository: String) throws(HubError) {
        try SystemCall.makeFolder("\(folder(repository))/blobs")
        try SystemCall.makeFolder(locks(repository))
    }

    /// Returns the commit of a reference's revision, as last stored in the cache; `nil` if it is unknown.
    func commit(of reference: HubReference) -> String? {
        let revision = reference.revisionOrMain
        if ContentDigest.isCommit(revision) { return revision }
        let path = "\(folder(reference.repository))/refs/\(revision)"
        guard let bytes = try? RegularFile.read(path, atMost: 128) else { return nil }
        let commit = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return ContentDigest.isCommit(commit) ? commit : nil
    }

    /// Returns the files of a snapshot whose content exists.
    func files(_ commit: String, of repository: String) -> [String] {
        let snapshot = snapshot(commit, of: repository)
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: snapshot)) ?? []
        return names.filter { SystemCall.size("\(snapshot)/\($0)") != nil }.sorted()
    }

    /// Returns a path beside `path` that no other process uses, even a process with the same ID in another container.
    private static func temporary(_ path: String) -> String {
        "\(path).\(String(UInt64.random(in: 0 ... .max), radix: 16)).tmp"
    }

    /// Writes the commit of a branch or a tag atomically, because other processes can read it at any time.
    func setCommit(_ commit: String, of revision: String, _ repository: String) throws(HubError) {
        let path = "\(folder(repository))/refs/\(revision)"
        try SystemCall.makeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        let temporary = Self.temporary(path)
        let file = try SystemCall.check(path) { open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666) }
        defer { close(file) }
        let bytes = Array(commit.utf8)
        try SystemCall.check(path) { write(file, bytes, bytes.count) }
        try SystemCall.check(path) { rename(temporary, path) }
    }

    /// Adds a file to a snapshot, as a relative link to its content, so that the cache can be moved.
    func link(_ name: String, to digest: ContentDigest, commit: String, of repository: String) throws(HubError) {
        let path = "\(snapshot(commit, of: repository))/\(name)"
        try SystemCall.makeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        let depth = name.utf8.count { $0 == UInt8(ascii: "/") }
        let target = String(repeating: "../", count: depth + 2) + "blobs/" + digest.hex
        guard symlink(target, path) != 0 else { return }
        guard errno == EEXIST else { throw .system(path: path, errno: errno) }
        if (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) == target { return }
        // The existing file is a link with another target, or a file of a cache without links.
        let temporary = Self.temporary(path)
        try SystemCall.check(path) { symlink(target, temporary) }
        try SystemCall.check(path) { rename(temporary, path) }
    }
}
