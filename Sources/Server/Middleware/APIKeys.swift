import Basics
import COpenSSL
import Foundation
import HTTPTypes

/// The accepted API keys, stored only as SHA-256 digests.
public struct APIKeys: Sendable {
    struct Key: Sendable {
        var name: String
        var digest: [UInt8]
        /// Limits that are nil are taken from the server's options.
        var limits = RateLimits()
        var isFromFile = false
    }

    private var keys: [Key] = []
    /// The index of the last key with each digest. Keys are looked up on the event loop, so a lookup must be fast.
    private var places: [[UInt8]: Int] = [:]
    /// Set by ``revoke(missingFrom:)``: if no key is left, the server must reject all requests instead of accepting all.
    private var isClosed = false

    public init() {}

    /// Whether there are no keys, so that all requests are accepted.
    public var isEmpty: Bool { keys.isEmpty && !isClosed }

    /// Adds a key under a unique name. Logs contain the name.
    ///
    /// - Parameter key: the key itself, or `sha256:` and its digest in hexadecimal.
    /// - Throws: why it is not a valid key.
    mutating func add(_ key: String, name: String, limits: RateLimits = RateLimits()) throws(Flaw) {
        guard !keys.contains(where: { $0.name == name }) else { throw Flaw(reason: "'\(name)' is defined twice") }
        let prefix = "sha256:"
        guard key.hasPrefix(prefix) else {
            // A key that an HTTP field cannot contain would never match.
            guard !key.isEmpty, key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
                throw Flaw(reason: "the key of '\(name)' must be printable ASCII without spaces")
            }
            return append(Key(name: name, digest: Self.digest(of: key), limits: limits))
        }
        let digits = Array(key.dropFirst(prefix.count).utf8)
        let digest = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
        guard digits.count == 64, digest.count == 32 else {
            throw Flaw(reason: "the digest of '\(name)' must be 64 hexadecimal digits")
        }
        append(Key(name: name, digest: digest, limits: limits))
    }

    private mutating func append(_ key: Key) {
        places[key.digest] = keys.count
        keys.append(key)
    }

    private mutating func removeAll(where isRevoked: (Key) -> Bool) {
        let kept = keys.filter { !isRevoked($0) }
        (keys, places) = ([], [:])
        for key in kept { append(key) }
    }

    /// Adds the keys of a file: each line has a name, a space and a key, and optionally `requests-per-minute=60`,
    /// `tokens-per-minute=10000` and `min-priority=-10`, the most urgent priority of its requests (0 without it). Empty lines
    /// and lines that begin with `#` are ignored. Line ends of any system and a byte order mark are accepted.
    ///
    /// - Throws: the first error.
    mutating func add(file text: String) throws(Flaw) {
        if let flaw = addReadable(file: text) { throw flaw }
    }

    /// Adds the keys of all valid lines; returns the first error.
    private mutating func addReadable(file text: String) -> Flaw? {
        var flaw: Flaw?
        let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        // By `isNewline`: CR LF is one Character, and not equal to a line feed.
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            guard words.count >= 2 else {
                flaw = flaw ?? Flaw(reason: "line \(number + 1) must be a name and a key")
                continue
            }
            do throws(Flaw) {
                try add(String(words[1]), name: String(name), limits: try Self.limits(words[2...]))
                keys[keys.count - 1].isFromFile = true
            } catch {
                flaw = flaw ?? Flaw(reason: "line \(number + 1): \(error.reason)")
            }
        }
        return flaw
    }

    /// Adds the keys of the file at `path`.
    mutating func add(fileAt path: String) throws(Flaw) {
        if let flaw = try addReadable(fileAt: path) { throw flaw }
    }

    /// Adds the keys of all valid lines of the file at `path`; returns the first error.
    ///
    /// - Throws: if there is no valid line. A file that is being written may be empty for a moment.
    mutating func addReadable(fileAt path: String) throws(Flaw) -> Flaw? {
        let bytes: [UInt8]
        // Ten thousand keys take less than a megabyte.
        do throws(RegularFile.Failure) { bytes = try RegularFile.read(path, atMost: 4 << 20) } catch {
            throw Flaw(reason: "cannot read '\(path)': \(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Flaw(reason: "'\(path)' is not valid UTF-8")
        }
        let flaw = addReadable(file: text)
        // A file that should restrict access must not leave the server open.
        guard keys.contains(where: \.isFromFile) else { throw flaw ?? Flaw(reason: "'\(path)' has no key") }
        return flaw
    }

    /// Removes the keys of the file that `current` does not contain under any name; returns their number. O(keys).
    mutating func revoke(missingFrom current: APIKeys) -> Int {
        let digests = Set(current.keys.map(\.digest))
        let count = keys.count
        removeAll { $0.isFromFile && !digests.contains($0.digest) }
        isClosed = true
        return count - keys.count
    }

    mutating func removeAllFromFile() {
        removeAll(where: \.isFromFile)
    }

    private static func limits(_ words: ArraySlice<Substring>) throws(Flaw) -> RateLimits {
        var limits = RateLimits()
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.first == "min-priority" {
                let bounds = GenerationOptions.priorities
                guard parts.count == 2, let value = Int(parts[1]), bounds.contains(value) else {
                    throw Flaw(
                        reason: "'\(word)' must be min-priority=N, N from \(bounds.lowerBound) to \(bounds.upperBound)")
                }
                limits.minimumPriority = value
                continue
            }
            guard parts.count == 2, let value = Int(parts[1]), (1...1_000_000_000_000).contains(value) else {
                throw Flaw(reason: "'\(word)' must be a limit such as requests-per-minute=60")
            }
            switch parts[0] {
            case "requests-per-minute": limits.requestsPerMinute = value
            case "tokens-per-minute": limits.tokensPerMinute = value
            default:
                throw Flaw(
                    reason: "'\(parts[0])' is not one of requests-per-minute, tokens-per-minute and min-priority")
            }
        }
        return limits
    }

    /// Returns the key of a request, or `nil` if it has no known key. Looks in `Authorization: Bearer` (RFC 6750), then in
    /// Anthropic's `x-api-key`, because a proxy may have put its own credentials into the former. O(1).
    func key(in fields: HTTPFields) -> Key? {
        Self.given(in: fields).lazy.compactMap(key).first
    }

    /// The time of the search depends on the digest only, which reveals nothing about other keys.
    private func key(_ given: String) -> Key? {
        places[Self.digest(of: given)].map { keys[$0] }
    }

    static func isGiven(in fields: HTTPFields) -> Bool { !given(in: fields).isEmpty }

    /// The keys that a request presents, at most two.
    private static func given(in fields: HTTPFields) -> [String] {
        let words = fields[.authorization]?.split(separator: " ") ?? []
        let bearer = words.count == 2 && words[0].lowercased() == "bearer" ? String(words[1]) : nil
        return [bearer, HTTPField.Name("x-api-key").flatMap { fields[$0] }].compactMap(\.self)
    }

    static func digest(of key: String) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let bytes = Array(key.utf8)
        let isDone = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        precondition(isDone == 1, "libcrypto has SHA-256")
        return digest
    }

    /// Why a key is invalid.
    struct Flaw: Error, Hashable {
        var reason: String
    }
}
