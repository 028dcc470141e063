/// Shares a bounded resource between several owners with a dynamic threshold (Choudhury and Hahne, "Dynamic Queue Length
/// Thresholds for Shared-Memory Packet Switches", 1998).
///
/// An owner may take more as long as it then holds at most `factor` times the amount that remains. With a factor of 3 one busy
/// owner gets 3/4, two get 3/7 each, and some always remains for another one.
public struct DynamicThreshold: Sendable {
    /// The maximum ratio of the amount that an owner holds to the remaining amount.
    public let factor: Int

    /// - Precondition: a factor of at least 1.
    public init(factor: Int) {
        precondition(factor > 0, "an owner may hold something")
        self.factor = factor
    }

    /// Whether an owner may hold `held` while `left` remains.
    public func allows(held: Int, left: Int) -> Bool {
        guard left >= 0 else { return false }
        // Without a product, which might overflow.
        return held <= 0 || (held - 1) / factor < left
    }

    /// Returns the maximum that one owner can hold of `capacity`, which is not negative.
    public func share(of capacity: Int) -> Int {
        let (quotient, remainder) = capacity.quotientAndRemainder(dividingBy: factor + 1)
        return capacity - quotient - (remainder > 0 ? 1 : 0)
    }

    /// Returns the smallest capacity of which one owner's share is `share`, which is not negative.
    public func capacity(forShare share: Int) -> Int {
        share + share / factor + (share % factor > 0 ? 1 : 0)
    }
}
