extension Int {
    /// The whole part of `value`, or the nearest value that there is: the maximum or minimum beyond them, 0 for NaN. For
    /// numbers that clocks and rates give, where `Int(_:)` would end the process.
    init(saturating value: Double) {
        self = Int(exactly: value.rounded(.towardZero)) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
    }
}
