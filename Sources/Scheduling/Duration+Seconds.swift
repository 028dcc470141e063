// Estimates are floating-point numbers and may be infinite. `Duration.seconds` traps beyond 1.7e20 seconds.

extension Duration {
    /// Returns `seconds`, clamped to `zero...longest`, or `longest` for NaN.
    static func seconds(_ seconds: Double, atMost longest: Duration) -> Duration {
        guard seconds < longest / .seconds(1) else { return longest }
        return .seconds(max(0, seconds))
    }
}
