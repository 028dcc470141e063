import Foundation
import Web

/// Downloads the content of one file into the cache: to `blobs/HASH.incomplete` first, then renamed to `blobs/HASH`.
struct BlobDownload: Sendable {
    let api: HubAPI
    let cache: HubCache
    let reference: HubReference
    let commit: String
    let progress: TransferProgress

    /// The minimum rate: a server that sends fewer bytes in this time is too slow.
    private static let leastPace = (bytes: 64 * 1024, time: Duration.seconds(60))
    /// The number of received bytes after which earlier failures no longer count.
    private static let forgivingBytes = 1 << 20

    /// Returns the number of bytes of a file that are already in the cache.
    func presentBytes(_ file: RepositoryFile) -> Int {
        let path = cache.blob(file.digest, of: reference.repository)
        if SystemCall.size(path) == file.bytes { return file.bytes }
        return min(SystemCall.size(path + ".incomplete") ?? 0, file.bytes)
    }

    /// Downloads the missing part of `file`, and checks its size and hash.
    func run(_ file: RepositoryFile) throws(HubError) {
        let path = cache.blob(file.digest, of: reference.repository)
        let lock = try lock(file)
        defer { withExtendedLifetime(lock) {} }
        if SystemCall.size(path) == file.bytes { return progress.add(file.bytes) }
        let partial = try PartialBlob(path + ".incomplete", file: file) { progress.mustStop }
        progress.add(partial.offset)
        var retries = Retries { [progress] in progress.mustStop }
        var best = partial.offset
        while true {
            if partial.offset < file.bytes {
                do throws(FailedAttempt) {
                    try receive(file, partial)
                } catch {
                    if partial.offset >= best + Self.forgivingBytes {
                        best = partial.offset
                        retries.reset()
                    }
                    try retries.pause(after: error)
                    continue
                }
            }
            let (isRight, got) = partial.finish()
            if isRight { return try partial.publish(as: path) }
            // The error may be in the part from an earlier download.
            let mayBeOld = partial.isResumed
            try restart(partial)
            guard mayBeOld else {
                partial.remove()
                throw .digest(file: file.path, expected: file.digest.hex, got: got)
            }
            // Once only: what it has from now on is not resumed.
            best = 0
            retries.reset()
        }
    }

    /// Waits until no other process downloads the same file.
    private func lock(_ file: RepositoryFile) throws(HubError) -> FileLock {
        let path = "\(cache.locks(reference.repository))/\(file.digest.hex).lock"
        while true {
            if let lock = try FileLock.attempt(path) { return lock }
            if progress.mustStop { throw .cancelled }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    /// Appends the content of one reply.
    private func receive(_ file: RepositoryFile, _ partial: PartialBlob) throws(FailedAttempt) {
        let url = api.fileURL(file.path, commit: commit, of: reference.repository)
        let reply = try api.open(url, for: reference, file: file.path, from: partial.offset)
        if reply.status == 200 {
            // The server does not support partial requests.
            if partial.offset > 0 { try now { () throws(HubError) in try restart(partial) } }
        } else if reply.status == 416 || !reply.continues(at: partial.offset) {
            try now { () throws(HubError) in try restart(partial) }
            throw FailedAttempt(
                error: .status(reply.status, url: reply.address.withoutQuery, reason: "not the rest of the file"),
                isTransient: true)
        }
        if let announced = reply.announcedBytes, announced != file.bytes - partial.offset {
            throw FailedAttempt(
                error: .size(file: file.path, expected: file.bytes, got: partial.offset + announced),
                isTransient: false)
        }
        var paced = 0
        while let bytes = try next(reply) {
            if progress.mustStop { throw FailedAttempt(error: .cancelled, isTransient: false) }
            guard bytes.count <= file.bytes - partial.offset else {
                throw FailedAttempt(
                    error: .size(file: file.path, expected: file.bytes, got: partial.offset + bytes.count),
                    isTransient: false)
            }
            try now { () throws(HubError) in try partial.append(bytes) }
            progress.add(bytes.count)
            paced += bytes.count
            if paced >= Self.leastPace.bytes {
                paced = 0
                reply.deadline = .now + Self.leastPace.time
            }
        }
        if partial.offset < file.bytes { throw api.failed(.closed(reply.address.host)) }
    }

    private func restart(_ partial: PartialBlob) throws(HubError) {
        progress.add(-partial.offset)
        try partial.restart()
    }

    private func next(_ reply: WebReply) throws(FailedAttempt) -> ArraySlice<UInt8>? {
        do throws(WebError) { return try reply.next() } catch { throw api.failed(error) }
    }

    /// Runs `body`, whose errors end the download without a retry.
    private func now(_ body: () throws(HubError) -> Void) throws(FailedAttempt) {
        do throws(HubError) { try body() } catch { throw FailedAttempt(error: error, isTransient: false) }
    }
}

extension WebReply {
    /// Returns whether this is a part of the content that starts at `offset` (RFC 9110, 14.4).
    fileprivate func continues(at offset: Int) -> Bool {
        fields["content-range"]?.lowercased().hasPrefix("bytes \(offset)-") == true
    }

    /// The length of the body in bytes; `nil` if the header does not specify it.
    fileprivate var announcedBytes: Int? {
        fields["transfer-encoding"] == nil ? fields["content-length"].flatMap(Int.init) : nil
    }
}
