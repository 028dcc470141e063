extension Int {
    /// The integer part of `value`, limited to the range of the type; 0 for NaN. For values from clocks and rates, for which
    /// `Int(_:)` could trap.
    init(saturating value: Double) {
        self = Int(exactly: value.rounded(.towardZero)) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
    }
}
