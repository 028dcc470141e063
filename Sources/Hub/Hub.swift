import Basics
import Foundation

/// Access to models of the Hugging Face Hub, through the cache that is shared with Python's `huggingface_hub`.
public struct Hub: Sendable {
    let settings: HubSettings
    let cache: HubCache
    private let report: @Sendable (String) -> Void
    private let isCancelled: @Sendable () -> Bool

    /// - Parameters:
    ///   - settings: the locations of the Hub and of the cache.
    ///   - report: called with a line about each step, and about progress if there is no terminal.
    ///   - isCancelled: called often, by several threads; downloads stop when it returns true.
    public init(
        _ settings: HubSettings, report: @escaping @Sendable (String) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.settings = settings
        cache = HubCache(directory: settings.cache)
        self.report = report
        self.isCancelled = isCancelled
    }

    /// Returns the folder or the GGUF file of a model. It asks the Hub only if the model is not complete in the cache.
    ///
    /// - Throws: `HubError` if the model cannot be downloaded.
    public func locate(_ reference: HubReference) throws(HubError) -> String {
        if let path = cached(reference) { return path }
        guard !settings.isOffline else { throw .offline("\(reference)", cache: cache.directory) }
        return try pull(reference)
    }

    /// Downloads the files of the current revision that the cache does not have, and returns the folder or the GGUF file.
    ///
    /// - Throws: `HubError` if the model cannot be downloaded; completed parts are kept.
    public func pull(_ reference: HubReference) throws(HubError) -> String {
        guard !settings.isOffline else {
            guard let path = cached(reference) else { throw .offline("\(reference)", cache: cache.directory) }
            return path
        }
        let repository = reference.repository
        let api = try HubAPI(settings, mustStop: isCancelled)
        report("requesting the list of files of \(reference) from \(api.endpoint)")
        let listing = try api.listing(reference, retries: Retries(isCancelled: isCancelled))
        let lock = try lock(repository)
        defer { withExtendedLifetime(lock) {} }
        let files = Dictionary(listing.files.map { ($0.path, $0) }) { first, _ in first }
        func download() -> BlobDownload {
            BlobDownload(
                api: api, cache: cache, reference: reference, commit: listing.commit,
                progress: TransferProgress(isCancelled: isCancelled))
        }
        let selection = try FileSelection(of: reference, among: listing.files.map(\.path)) { () throws(HubError) in
            let name = FileSelection.indexName
            guard let index = files[name] else { throw .noFile(name, repository: repository) }
            guard index.bytes <= FileSelection.largestIndex else {
                throw .choice(
                    repository,
                    reason: """
                        has a \(name) of \(ByteCount(index.bytes)), more than the limit of \
                        \(ByteCount(FileSelection.largestIndex))
                        """)
            }
            try download().run(index)
            return try Self.read(cache.blob(index.digest, of: repository))
        }
        let chosen = selection.files.compactMap { files[$0] }
        let work = download()
        let bytes = chosen.reduce(0) { $0 + $1.bytes }
        // Equal files share one blob.
        let missing = Dictionary(chosen.map { ($0.digest, $0) }) { first, _ in first }.values
            .filter { SystemCall.size(cache.blob($0.digest, of: repository)) != $0.bytes }
        let missingBytes = missing.reduce(0) { $0 + $1.bytes - work.presentBytes($1) }
        if !missing.isEmpty {
            try cache.checkLinks(repository)
            if let free = FreeSpace.bytes(cache.folder(repository)), free < missingBytes {
                throw .noSpace(path: cache.directory, neededBytes: missingBytes, freeBytes: free)
            }
            report(
                """
                downloading \(reference), commit \(listing.commit.prefix(12)): \(ByteCount(missingBytes)) of \
                \(chosen.count) files with \(ByteCount(bytes)), into \(cache.directory)
                """)
            try Transfer(download: work, title: "downloading \(repository)", report: report).run(Array(missing))
        }
        // Files are linked only after all downloads, so that a snapshot never has an incomplete model.
        for file in chosen { try cache.link(file.path, to: file.digest, commit: listing.commit, of: repository) }
        if !ContentDigest.isCommit(reference.revisionOrMain) {
            try cache.setCommit(listing.commit, of: reference.revisionOrMain, repository)
        }
        return path(of: selection, commit: listing.commit, repository)
    }

    /// Waits until no other process is removing files of the repository, and prevents others from starting to.
    private func lock(_ repository: String) throws(HubError) -> FileLock {
        while true {
            try cache.makeFolders(repository)
            if let lock = try FileLock.attempt(cache.lock(repository), isShared: true) {
                // The folders may have been removed in the meantime.
                try cache.makeFolders(repository)
                return lock
            }
            if isCancelled() { throw .cancelled }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    /// Returns the folder or the GGUF file of a model that is complete in the cache; `nil` if it is not.
    func cached(_ reference: HubReference) -> String? {
        guard let commit = cache.commit(of: reference) else { return nil }
        let snapshot = cache.snapshot(commit, of: reference.repository)
        let names = cache.files(commit, of: reference.repository)
        let selection = try? FileSelection(of: reference, among: names) { () throws(HubError) in
            try Self.read("\(snapshot)/\(FileSelection.indexName)")
        }
        guard let selection else { return nil }
        // Python's tools may have downloaded only the weights. Offline, that is better than nothing.
        let isWhole = selection.entry != nil || selection.files.contains("tokenizer.json") || settings.isOffline
        return isWhole ? path(of: selection, commit: commit, reference.repository) : nil
    }

    private func path(of selection: FileSelection, commit: String, _ repository: String) -> String {
        cache.snapshot(commit, of: repository) + (selection.entry.map { "/" + $0 } ?? "")
    }

    private static func read(_ path: String) throws(HubError) -> [UInt8] {
        do throws(RegularFile.Failure) {
            return try RegularFile.read(path, atMost: FileSelection.largestIndex)
        } catch {
            throw .setting(path, reason: "\(error)")
        }
    }
}
