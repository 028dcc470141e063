import Foundation

extension Hub {
    /// The path of the cache folder.
    public var cacheFolder: String { cache.directory }

    /// Returns all models in the cache, sorted by name.
    public func list() -> [CachedModel] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: cache.directory)) ?? []
        return names.sorted().compactMap(cache.repository(ofFolder:)).map(model)
    }

    /// Removes a model from the cache: all of it, only one revision, or only the GGUF file of a quantization. Files that other
    /// revisions need are kept.
    ///
    /// - Returns: the number of bytes that were freed.
    /// - Throws: `HubError.notCached`, `.inUse` during a download of the model, or `.system`.
    public func remove(_ reference: HubReference) throws(HubError) -> Int {
        let repository = reference.repository
        let folder = cache.folder(repository)
        guard access(folder, F_OK) == 0 else { throw .notCached("\(reference)", cache: cache.directory) }
        let locks = try lockAll(repository)
        defer { withExtendedLifetime(locks) {} }
        let before = blobBytes(repository)
        if reference.revision == nil, reference.quantization == nil {
            try Self.delete(folder)
            try Self.delete(cache.locks(repository))
            return before
        }
        let revisions = model(repository).revisions.filter { reference.means($0) }
        // All are chosen before any is removed, since a choice can fail.
        var paths: [String] = []
        for revision in revisions {
            let snapshot = cache.snapshot(revision.commit, of: repository)
            guard let quantization = reference.quantization else {
                paths.append(snapshot)
                continue
            }
            let names = revision.files.map(\.path)
            paths += try FileSelection.removable(quantization, of: repository, among: names).map { "\(snapshot)/\($0)" }
        }
        guard !paths.isEmpty else { throw .notCached("\(reference)", cache: cache.directory) }
        for path in paths { try Self.delete(path) }
        for revision in revisions where cache.files(revision.commit, of: repository).isEmpty {
            try Self.delete(cache.snapshot(revision.commit, of: repository))
        }
        try removeUnused(repository)
        return before - blobBytes(repository)
    }

    private func model(_ repository: String) -> CachedModel {
        let folder = cache.folder(repository)
        let commits = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/snapshots")) ?? []
        let refs = refs(repository)
        let revisions = commits.sorted().filter(ContentDigest.isCommit).map { commit in
            let snapshot = cache.snapshot(commit, of: repository)
            return CachedModel.Revision(
                commit: commit, names: refs.filter { $0.value == commit }.map(\.key).sorted(),
                files: cache.files(commit, of: repository).map {
                    CachedModel.File(path: $0, bytes: SystemCall.size("\(snapshot)/\($0)") ?? 0)
                })
        }
        let incomplete = blobs(repository).filter { $0.hasSuffix(".incomplete") }
        return CachedModel(
            repository: repository, revisions: revisions,
            incompleteBytes: incomplete.reduce(0) { $0 + (SystemCall.size("\(folder)/blobs/\($1)") ?? 0) })
    }

    /// Returns the commit of each branch and tag.
    private func refs(_ repository: String) -> [String: String] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: "\(cache.folder(repository))/refs")) ?? []
        var refs: [String: String] = [:]
        for name in names {
            guard let reference = HubReference("\(repository)@\(name)") else { continue }
            refs[name] = cache.commit(of: reference)
        }
        return refs
    }

    private func blobs(_ repository: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(cache.folder(repository))/blobs")) ?? []
    }

    private func blobBytes(_ repository: String) -> Int {
        blobs(repository).reduce(0) { $0 + (SystemCall.size("\(cache.folder(repository))/blobs/\($1)") ?? 0) }
    }

    /// Returns the locks of the model and of all its files; Python's tools use only the locks of files.
    private func lockAll(_ repository: String) throws(HubError) -> [FileLock] {
        try SystemCall.makeFolder(cache.locks(repository))
        let names = (try? FileManager.default.contentsOfDirectory(atPath: cache.locks(repository))) ?? []
        // The repository's lock is first, so that no download can begin.
        let paths = [cache.lock(repository)] + names.map { "\(cache.locks(repository))/\($0)" }
        var locks: [String: FileLock] = [:]
        for path in paths where locks[path] == nil {
            guard let lock = try FileLock.attempt(path) else { throw .inUse(repository) }
            locks[path] = lock
        }
        return Array(locks.values)
    }

    /// Removes blobs that no snapshot links to, and refs to commits that no longer exist.
    private func removeUnused(_ repository: String) throws(HubError) {
        let folder = cache.folder(repository)
        let links = (try? FileManager.default.subpathsOfDirectory(atPath: "\(folder)/snapshots")) ?? []
        let used = Set(
            links.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/snapshots/\($0)") }
                .map { $0.split(separator: "/").last ?? "" })
        for blob in blobs(repository) where !used.contains(blob[...]) { try Self.delete("\(folder)/blobs/\(blob)") }
        for (name, commit) in refs(repository) where access(cache.snapshot(commit, of: repository), F_OK) != 0 {
            try Self.delete("\(folder)/refs/\(name)")
        }
    }

    private static func delete(_ path: String) throws(HubError) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch CocoaError.fileNoSuchFile {
            return
        } catch {
            // The system's error number is in the error or in its underlying error.
            let errors = [error as NSError, (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError]
            let number = errors.compactMap(\.self).first { $0.domain == NSPOSIXErrorDomain }?.code
            throw .system(path: path, errno: number.map { Int32(truncatingIfNeeded: $0) } ?? EIO)
        }
    }
}

extension HubReference {
    /// Returns whether the reference includes this revision; a reference without a revision includes all.
    fileprivate func means(_ cached: CachedModel.Revision) -> Bool {
        guard let revision else { return true }
        return cached.commit == revision || cached.names.contains(revision)
    }
}
