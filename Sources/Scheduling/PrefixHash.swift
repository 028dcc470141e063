/// Names the content of one full logical block: its token ids and all before them, through the hash of the logical block
/// before.
///
///     hash(logical block s) = H(hash(logical block s - 1), token ids of logical block s)
///     hash(logical block -1) = H(cacheSalt)
///
/// H is two SipHash values (Aumasson, Bernstein 2012) of separate domains under the key that the standard library draws for
/// each process. 128 keyed bits: nobody can search for two prompts of one hash, and by chance even 2^40 logical blocks meet
/// with a probability of 2^-49; so a hash stands for its tokens and these are not compared. A hash means nothing to another
/// process.
struct PrefixHash: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// The start of a chain; chains of different salts never meet.
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

/// A prompt that several sequences may begin with, hashed once for all of them; made by ``Scheduler/share(_:cacheSalt:)``.
public struct SharedPrompt: Sendable {
    /// Its length.
    let tokens: Int
    let chain: PrefixChain
    /// Tokens of it that the prefix cache had when it was made.
    let cachedTokens: Int
}

/// The hashes of a sequence's full logical blocks; grows with the sequence, token by token.
struct PrefixChain: Sendable {
    /// One a full logical block.
    private(set) var hashes: [PrefixHash] = []
    private var last: PrefixHash
    /// Tokens of the logical block that is not full yet.
    private var open: [Int32] = []
    private let blockSize: Int

    /// - Parameter blockSize: tokens a logical block.
    init(cacheSalt: [UInt8], blockSize: Int) {
        last = PrefixHash(cacheSalt: cacheSalt)
        self.blockSize = blockSize
    }

    /// Amortised O(1).
    mutating func append(_ token: Int32) {
        open.append(token)
        guard open.count == blockSize else { return }
        last = PrefixHash(parent: last, tokens: open)
        hashes.append(last)
        open.removeAll(keepingCapacity: true)
    }
}
