// Estimates are floating point and may be infinite; creating a duration beyond 1.7e20 seconds traps.

extension Duration {
    /// `seconds`, limited to `zero...longest`; `longest` for NaN.
    static func seconds(_ seconds: Double, atMost longest: Duration) -> Duration {
        guard seconds < longest / .seconds(1) else { return longest }
        return .seconds(max(0, seconds))
    }
}
