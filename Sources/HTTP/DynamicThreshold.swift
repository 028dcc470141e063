/// How several owners share what is bounded: a dynamic threshold (Choudhury and Hahne, "Dynamic Queue Length Thresholds for
/// Shared-Memory Packet Switches", 1998).
///
/// An owner may take more while it then holds at most `factor` times what is left. With a factor of 3 one busy owner gets 3/4,
/// two get 3/7 each, and some is always left for one that comes later.
public struct DynamicThreshold: Sendable {
    /// How many times what is left an owner may hold.
    public let factor: Int

    /// - Precondition: a factor of at least 1.
    public init(factor: Int) {
        precondition(factor > 0, "an owner may hold something")
        self.factor = factor
    }

    /// Whether an owner may hold `held` while `left` is left for all.
    public func allows(held: Int, left: Int) -> Bool {
        guard left >= 0 else { return false }
        // Without a product that might overflow.
        return held <= 0 || (held - 1) / factor < left
    }

    /// The most that one owner can ever hold of `capacity`, which is not negative.
    public func share(of capacity: Int) -> Int {
        let (quotient, remainder) = capacity.quotientAndRemainder(dividingBy: factor + 1)
        return capacity - quotient - (remainder > 0 ? 1 : 0)
    }

    /// The least capacity of which one owner's share is `share`, which is not negative.
    public func capacity(forShare share: Int) -> Int {
        share + share / factor + (share % factor > 0 ? 1 : 0)
    }
}
