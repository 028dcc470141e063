/// Identifies the content of one full logical block: its token ids and all ids before them, through the hash of the previous
/// logical block.
///
///     hash(logical block s) = H(hash(logical block s - 1), token ids of logical block s)
///     hash(logical block -1) = H(cacheSalt)
///
/// H is two SipHash values (Aumasson, Bernstein 2012) with separate domains and the key that the standard library chooses for
/// each process. It has 128 keyed bits: prompts with equal hashes cannot be searched for, and among 2^40 logical blocks a
/// random collision has a probability of 2^-49. So a hash identifies its tokens, which are not compared. A hash is meaningless
/// in another process.
struct PrefixHash: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// The start of a chain; chains with different salts never have equal hashes.
    init(cacheSalt: [UInt8]) {
        (high, low) = Self.digest { $0.combine(cacheSalt) }
    }

    /// The hash of the logical block that follows `parent`.
    init(parent: PrefixHash, tokens: [Int32]) {
        (high, low) = Self.digest {
            $0.combine(parent)
            for token in tokens { $0.combine(token) }
        }
    }

    private static func digest(_ feed: (inout Hasher) -> Void) -> (UInt64, UInt64) {
        func half(_ domain: UInt8) -> UInt64 {
            var hasher = Hasher()
            hasher.combine(domain)
            feed(&hasher)
            return UInt64(bitPattern: Int64(hasher.finalize()))
        }
        return (half(0), half(1))
    }
}

/// A prompt that several sequences may begin with, hashed once for all of them; created by ``Scheduler/share(_:cacheSalt:)``.
public struct SharedPrompt: Sendable {
    /// The number of its tokens.
    let tokens: Int
    let chain: PrefixChain
    /// The number of its tokens in the prefix cache at the time of its creation.
    let cachedTokens: Int
}

/// The hashes of a sequence's full logical blocks; grows with the sequence, token by token.
struct PrefixChain: Sendable {
    /// One per full logical block.
    private(set) var hashes: [PrefixHash] = []
    private var last: PrefixHash
    /// Tokens of the logical block that is not full yet.
    private var open: [Int32] = []
    private let blockSize: Int

    /// - Parameter blockSize: tokens per logical block.
    init(cacheSalt: [UInt8], blockSize: Int) {
        last = PrefixHash(cacheSalt: cacheSalt)
        self.blockSize = blockSize
    }

    /// Amortized O(1).
    mutating func append(_ token: Int32) {
        open.append(token)
        guard open.count == blockSize else { return }
        last = PrefixHash(parent: last, tokens: open)
        hashes.append(last)
        open.removeAll(keepingCapacity: true)
    }
}
