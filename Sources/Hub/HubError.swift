import Basics
import Web

/// Why a model cannot be downloaded, found or removed.
public enum HubError: Error, Sendable, Hashable, CustomStringConvertible {
    case setting(String, reason: String)
    /// The repository does not exist or is private; the Hub's answer is the same for both.
    case noRepository(String, endpoint: String, hasToken: Bool)
    case noRevision(String, repository: String)
    case noFile(String, repository: String)
    case gated(String, endpoint: String, hasToken: Bool)
    case badToken(endpoint: String)
    case status(Int, url: String, reason: String)
    case unreachable(WebError, endpoint: String)
    case offline(String, cache: String)
    /// The Hub's description of a repository is invalid.
    case listing(String, reason: String)
    /// The repository has no files that can be served, or the choice is ambiguous.
    case choice(String, reason: String)
    case size(file: String, expected: Int, got: Int)
    case digest(file: String, expected: String, got: String)
    case noSpace(path: String, neededBytes: Int, freeBytes: Int)
    case diskFull(path: String)
    case noLinks(path: String)
    case system(path: String, errno: Int32)
    case notCached(String, cache: String)
    case inUse(String)
    case cancelled

    /// One line; what comes from a server is printable.
    public var description: String { text.printable(atMost: 4000) }

    private var text: String {
        switch self {
        case .setting(let name, let reason): "\(name): \(reason)"
        case .noRepository(let repository, let endpoint, let hasToken):
            """
            there is no folder '\(repository)', and no model \(repository) on \(endpoint) that \
            \(hasToken ? "the given token may read" : "can be read without a token (HF_TOKEN)")
            """
        case .noRevision(let revision, let repository): "\(repository) has no revision '\(revision)'"
        case .noFile(let file, let repository): "\(repository) has no file \(file)"
        case .gated(let repository, let endpoint, let hasToken):
            """
            \(repository) is gated: accept its conditions on \(endpoint)/\(repository)\
            \(hasToken ? " with the account of the token" : ", and set HF_TOKEN to an access token")
            """
        case .badToken(let endpoint): "\(endpoint) does not accept the access token (HF_TOKEN)"
        case .status(let status, let url, let reason): "\(url) answered \(status)\(reason.isEmpty ? "" : ": \(reason)")"
        case .unreachable(let error, let endpoint): "cannot download from \(endpoint): \(error)"
        case .offline(let reference, let cache):
            "\(reference) is not complete in the cache \(cache), and HF_HUB_OFFLINE forbids downloading it"
        case .listing(let repository, let reason): "the Hub's description of \(repository) cannot be used: \(reason)"
        case .choice(let repository, let reason): "\(repository) \(reason)"
        case .size(let file, let expected, let got): "\(file) should have \(expected) bytes, but the server has \(got)"
        case .digest(let file, let expected, let got):
            "\(file) is damaged: its hash is \(got) instead of \(expected); it was removed"
        case .noSpace(let path, let needed, let free):
            "no space for \(ByteCount(needed)) on the disk of \(path), which has \(ByteCount(free))"
        case .diskFull(let path): "the disk of \(path) is full"
        case .noLinks(let path):
            "the disk of \(path) does not support symbolic links, which the cache needs; set HF_HUB_CACHE to a folder on another disk"
        case .system(let path, let number): "\(path): \(SystemCall.text(number))"
        case .notCached(let reference, let cache): "\(reference) is not in the cache \(cache)"
        case .inUse(let repository): "\(repository) is being downloaded by another process"
        case .cancelled: "the download was stopped; the next one resumes it"
        }
    }
}
