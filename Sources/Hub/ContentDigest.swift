import COpenSSL

/// The hash by which the Hub identifies the content of a file: SHA-256 for large files, and for other files SHA-1 as computed by
/// Git, with a header before the content.
/// with a header in front.
struct ContentDigest: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case sha256
        case gitBlob
    }

    let kind: Kind
    /// The hash in lowercase hexadecimal digits, which is also the name of the file in the cache.
    let hex: String

    /// Creates a digest; `nil` if `hex` does not have the length of this kind, or has other characters.
    init?(_ kind: Kind, hex: String) {
        guard hex.utf8.count == (kind == .sha256 ? 64 : 40), Self.isHexadecimal(hex) else { return nil }
        self.kind = kind
        self.hex = hex
    }

    /// Returns whether `text` consists of lowercase hexadecimal digits.
    static func isHexadecimal(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
    }

    /// Returns whether `text` is the full hash of a Git commit.
    static func isCommit(_ text: String) -> Bool { text.utf8.count == 40 && isHexadecimal(text) }
}

/// Computes a digest incrementally.
final class DigestComputation {
    private let context: OpaquePointer

    /// - Parameters:
    ///   - kind: the kind of hash.
    ///   - size: the size of the whole content in bytes, which is part of Git's header.
    init(_ kind: ContentDigest.Kind, size: Int) {
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex(context, kind == .sha256 ? EVP_sha256() : EVP_sha1(), nil) == 1
        else { preconditionFailure("libcrypto has no memory for a digest") }
        self.context = context
        if kind == .gitBlob { Array("blob \(size)\0".utf8).withUnsafeBytes { add($0) } }
    }

    deinit { EVP_MD_CTX_free(context) }

    func add(_ bytes: UnsafeRawBufferPointer) {
        let isDone = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(isDone == 1, "hashing does not fail")
    }

    /// Ends the computation and returns the digest of all bytes in lowercase hexadecimal digits.
    func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let isDone = EVP_DigestFinal_ex(context, &digest, &count)
        precondition(isDone == 1, "hashing does not fail")
        return digest.prefix(Int(count)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
