import COpenSSL

/// The hash by which the Hub names the content of a file: SHA-256 for large files, and for the others SHA-1 as Git computes it,
/// with a header in front.
struct ContentDigest: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case sha256
        case gitBlob
    }

    let kind: Kind
    /// Lowercase hexadecimal digits, also the name of the file in the cache.
    let hex: String

    /// `nil` if `hex` is not as long as digests of its kind, or has other characters.
    init?(_ kind: Kind, hex: String) {
        guard hex.utf8.count == (kind == .sha256 ? 64 : 40), Self.isHexadecimal(hex) else { return nil }
        self.kind = kind
        self.hex = hex
    }

    /// Whether `text` has lowercase hexadecimal digits only.
    static func isHexadecimal(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
    }

    /// Whether `text` is the full name of a Git commit.
    static func isCommit(_ text: String) -> Bool { text.utf8.count == 40 && isHexadecimal(text) }
}

/// Computes a digest piece by piece.
final class DigestComputation {
    private let context: OpaquePointer

    /// - Parameters:
    ///   - kind: the hash.
    ///   - size: the bytes of the whole content, which Git's header has.
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

    /// The digest of all bytes, in lowercase hexadecimal digits. Ends the computation.
    func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let isDone = EVP_DigestFinal_ex(context, &digest, &count)
        precondition(isDone == 1, "hashing does not fail")
        return digest.prefix(Int(count)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
