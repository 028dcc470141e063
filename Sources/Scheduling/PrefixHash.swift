/// A hash that identifies the content of one full logical block: its token ids and all token ids before them. It includes the hash
/// of the previous logical block.
///
///     hash(logical block s) = H(hash(logical block s - 1), token ids of logical block s)
///     hash(logical block -1) = H(cacheSalt)
///
/// H is two SipHash values (Aumasson, Bernstein 2012) with separate domains and the key that the standard library chooses for each
/// process. It has 128 keyed bits: nobody can search for prompts with equal hashes, and among 2^40 logical blocks a random
/// collision has a probability of 2^-49. Tokens are therefore not compared. A hash is meaningless in another process.
struct PrefixHash: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Creates the start of a chain. Chains with different salts never have equal hashes.
    init(cacheSalt: [UInt8]) {
        (high, low) = Self.digest { $0.combine(cacheSalt) }
    }

    /// Creates the hash of the logical block that follows `parent`.
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

/// A prompt that several sequences may begin with, hashed once for all of them. Create it with ``Scheduler/share(_:cacheSalt:)``.
public struct SharedPrompt: Sendable {
    /// The number of its tokens.
    let tokens: Int
    let chain: PrefixChain
    /// The number of its tokens that were in the prefix cache when it was created.
    let cachedTokens: Int
}

/// The hashes of a sequence's full logical blocks. The chain grows token by token with the sequence.
struct PrefixChain: Sendable {
    /// The hashes, one per full logical block.
    private(set) var hashes: [PrefixHash] = []
    private var last: PrefixHash
    /// The tokens of the logical block that is not yet full.
    private var open: [Int32] = []
    private let blockSize: Int

    /// - Parameter blockSize: The number of tokens per logical block.
    init(cacheSalt: [UInt8], blockSize: Int) {
        last = PrefixHash(cacheSalt: cacheSalt)
        self.blockSize = blockSize
    }

    /// Appends a token of the sequence. Amortized O(1).
    mutating func append(_ token: Int32) {
        open.append(token)
        guard open.count == blockSize else { return }
        last = PrefixHash(parent: last, tokens: open)
        hashes.append(last)
        open.removeAll(keepingCapacity: true)
    }
}
